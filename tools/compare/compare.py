"""Perplexity of one checkpoint by `transformers` and by Secateur, by the same protocol.

The text is tokenised once, cut into windows that do not overlap, the tail dropped; all tokens of a
window but the first are scored. Exits with 1 when the two differ by more than the tolerance.
"""

import argparse
import json
import math
import subprocess
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def transformers_perplexity(folder, text, window, dtype):
    """Perplexity and number of windows by `transformers`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval()
    # newline="": Python would otherwise turn CRLF into LF, and the texts would differ
    with open(text, encoding="utf-8", newline="") as file:
        ids = tokenizer(file.read(), return_tensors="pt").input_ids[0]
    windows = ids[: len(ids) // window * window].view(-1, window)
    loss = 0.0
    with torch.inference_mode():
        for row in windows:
            logits = model(row[None]).logits[0, :-1].float()
            loss += torch.nn.functional.cross_entropy(logits, row[1:], reduction="sum").item()
    return math.exp(loss / (windows.numel() - len(windows))), len(windows)


def secateur_perplexity(binary, folder, text, window, dtype):
    """Perplexity and number of windows by Secateur."""
    command = [binary, "eval", folder, "--perplexity", text, "--window", str(window)]
    command += ["--dtype", dtype, "--json", "--quiet"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(output)["perplexity"][0]["result"]
    return result["perplexity"], result["windows"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("text")
    parser.add_argument("--secateur", required=True)
    parser.add_argument("--window", type=int, default=2048)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--tolerance", type=float, default=0.005)
    given = parser.parse_args()
    common = (given.checkpoint, given.text, given.window, given.dtype)
    start = time.perf_counter()
    ours, our_windows = secateur_perplexity(given.secateur, *common)
    middle = time.perf_counter()
    theirs, their_windows = transformers_perplexity(*common)
    end = time.perf_counter()
    difference = abs(ours - theirs) / theirs
    print(f"secateur      {ours:.4f}  ({our_windows} windows, {middle - start:.0f} s)")
    print(f"transformers  {theirs:.4f}  ({their_windows} windows, {end - middle:.0f} s)")
    print(f"difference    {difference:.4%} (tolerance {given.tolerance:.2%})")
    sys.exit(0 if our_windows == their_windows and difference <= given.tolerance else 1)


if __name__ == "__main__":
    main()
