"""Time and peak memory of pruning against blocks, tokens and width.

Writes made-up checkpoints (`cargo run -p xtask -- checkpoint`) and prunes each with Wanda on random
tokens. The peak counts the pages of mapped files too, which the system may drop at any time.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import tempfile

import measure

ROOT = pathlib.Path(__file__).parent.parent


def checkpoint(like, blocks, into):
    """A made-up checkpoint."""
    command = ["cargo", "run", "--quiet", "--release", "--manifest-path", ROOT / "Cargo.toml"]
    command += ["-p", "xtask", "--", "checkpoint", "--like", like, "--blocks", blocks, "-o", into]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def prune(given, model, samples, out):
    """Seconds and peak bytes of a run."""
    command = [given.secateur, "prune", model, "-o", out, "--calibration", "random", "--quiet"]
    command += ["--method", "wanda", "--samples", samples, "--length", given.length]
    command += ["--divergence", "off", "--threads", given.threads]
    _, seconds, peak = measure.run(command, given.threads)
    shutil.rmtree(out)
    return seconds, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", help="SHAPE:BLOCKS:SAMPLES, as llama-3-8b:2:4")
    parser.add_argument("--secateur", required=True)
    parser.add_argument("--threads", type=int, default=measure.os.cpu_count())
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--scratch", help="a folder with room for the checkpoints")
    given = parser.parse_args()
    print(f"{'shape':16} {'blocks':>6} {'tokens':>8} {'seconds':>8} {'peak':>10}")
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        for case in given.cases:
            like, blocks, samples = re.fullmatch(r"(.+):(\d+):(\d+)", case).groups()
            model = pathlib.Path(scratch, f"{like}-{blocks}")
            if not model.exists():
                for old in pathlib.Path(scratch).iterdir():
                    shutil.rmtree(old)
                checkpoint(like, blocks, model)
            seconds, peak = prune(given, model, samples, pathlib.Path(scratch, "out"))
            tokens = int(samples) * given.length
            print(f"{like:16} {blocks:>6} {tokens:>8} {seconds:8.1f} {measure.mebibytes(peak):>10}", flush=True)


if __name__ == "__main__":
    main()
