"""How soon the binary does useful work on a checkpoint: files are mapped, not read.

There is no peer. `plan` is `prune --dry-run`, which checks every tensor's shape, the recipe and the
memory; with `--run` the progress lines of a small run follow, each with the second at which it came.
"""

import argparse
import subprocess
import tempfile
import time

import measure


def seconds(command):
    """Seconds of a command."""
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def lines(command):
    """The lines of standard error with the second at which each came."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        yield time.perf_counter() - start, line.strip()
    if process.wait() != 0:
        raise SystemExit("error: the run failed")


def main():
    options = measure.parser(__doc__)
    options.formatter_class = argparse.RawDescriptionHelpFormatter
    options.add_argument("--run", action="store_true", help="prune too, with few random tokens")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        prune = [given.secateur, "prune", given.model, "-o", f"{scratch}/out", "--calibration",
                 "random", "--samples", "1", "--length", "128", "--divergence", "off",
                 "--threads", given.threads]
        print(f"inspect              {seconds([given.secateur, 'inspect', given.model]):8.3f} s")
        print(f"plan (--dry-run)     {seconds([*prune, '--dry-run']):8.3f} s")
        if given.run:
            for second, line in lines(prune):
                print(f"{second:8.3f} s  {line}")


if __name__ == "__main__":
    main()
