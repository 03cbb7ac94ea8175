"""What pruning does to the model in the box: methods, sparsities, calibration sources, seeds.

    python study.py --secateur BINARY --corpora FOLDER [--seeds 5] > table.md

For every cell: mean and sample standard deviation over the seeds of the divergence from the dense model
(nats a token, on text it writes with another seed) and of the perplexity on the held-out novels (the
first 40,000 characters of each from character 20,000 on, windows of 512). Calibration: 64 sequences of
512 tokens. Magnitude has no seed. Random pruning zeroes as many weights of each row, or of each group
of N:M, as the others do.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from train import HELD_OUT

SPARSITIES = ["30%", "50%", "60%", "70%", "2:4"]


def run(binary, *words):
    """The JSON that a command prints."""
    command = [binary, *map(str, words), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def randomly_pruned(dense, out, sparsity, seed):
    """A copy of the folder `dense` with random weights of every linear of its blocks zeroed."""
    shutil.copytree(dense, out)
    random = torch.Generator().manual_seed(seed)
    tensors = {}
    with safe_open(dense / "model.safetensors", "pt") as file:
        for name in file.keys():
            weight = file.get_tensor(name)
            if name.endswith("_proj.weight"):
                rows, width = weight.shape
                group, zeros = (4, 2) if sparsity == "2:4" else (width, width * int(sparsity[:-1]) // 100)
                order = torch.rand(rows, width // group, group, generator=random).argsort(-1)
                weight = weight.masked_fill((order < zeros).view(rows, width), 0.0)
            tensors[name] = weight
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secateur", required=True)
    parser.add_argument("--corpora", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp())
    novels, held_out = folder / "novels.txt", folder / "held-out.txt"
    texts = {path.stem: path.read_text(encoding="utf-8-sig") for path in sorted((given.corpora / "novels").glob("*.txt"))}
    held_out.write_text("\n\n".join(texts[title][20_000:60_000] for title in HELD_OUT))
    novels.write_text("\n\n".join(text[20_000:60_000] for title, text in texts.items() if title not in HELD_OUT))
    dense = pathlib.Path(__file__).parents[2] / "crates/demo/model"
    sources = {"self": "self", "novels": novels, "wikipedia": given.corpora / "wikipedia.txt", "random": "random"}

    def measured(pruned):
        found = run(given.secateur, "eval", "demo", pruned, "--divergence", "self", "--divergence-sequences", 16)
        text = run(given.secateur, "eval", pruned, "--perplexity", held_out)["perplexity"][0]["result"]
        shutil.rmtree(pruned)
        return found["divergence"]["result"]["mean_kl"], text["perplexity"]

    def cell(sparsity, method, source, seed):
        out = folder / "pruned"
        if method == "random":
            randomly_pruned(dense, out, sparsity, seed)
            return measured(out)
        words = ["prune", "demo", "-o", out, "--method", method, "--sparsity", sparsity, "--divergence", "off"]
        if source:
            words += ["--calibration", sources[source], "--samples", 64, "--seed", seed]
        run(given.secateur, *words)
        return measured(out)

    text = run(given.secateur, "eval", "demo", "--perplexity", held_out)["perplexity"][0]["result"]
    print(f"Dense: perplexity {text['perplexity']:.2f} on the held-out novels ({text['windows']} windows).\n")
    print("| sparsity | method | calibration | divergence, nats | held-out perplexity |\n|---|---|---|---|---|", flush=True)
    rows = [("random", None), ("magnitude", None)] + [("wanda", source) for source in sources]
    for sparsity in SPARSITIES:
        for method, source in rows:
            seeds = 1 if method == "magnitude" else given.seeds
            found = [cell(sparsity, method, source, seed) for seed in range(seeds)]
            figures = []
            for values in zip(*found):
                spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                figures.append(f"{statistics.mean(values):.3f}{spread}")
            print(f"| {sparsity} | {method} | {source or '–'} | {figures[0]} | {figures[1]} |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
