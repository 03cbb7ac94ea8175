"""Self-generation: tokens per second against `transformers.generate` at its best batch size."""

import pathlib
import re
import subprocess
import tempfile

import measure

ROOT = pathlib.Path(__file__).parent.parent


def ours(given):
    """Tokens per second of the Rust benchmark, which calls what `calibrate` calls."""
    command = ["cargo", "bench", "--quiet", "--manifest-path", ROOT / "Cargo.toml"]
    command += ["-p", "secateur-lm", "--bench", "generation", "--"]
    # built before the clock starts
    subprocess.run([*command[:-1], "--no-run"], check=True)
    model = pathlib.Path(given.model).resolve()
    command += [model, given.sequences, given.new, given.batch]
    output, _, peak = measure.run(command, given.threads)
    return float(re.search(r"([\d.]+) tokens/s", output)[1]), peak


def main():
    options = measure.parser(__doc__)
    measure.precisions(options)
    options.add_argument("--sequences", type=int, default=128)
    options.add_argument("--new", type=int, default=128, help="new tokens of each sequence")
    options.add_argument("--batch", type=int, default=128, help="sequences at a time, ours")
    options.add_argument("--peer-batches", type=int, nargs="+", default=[32, 64, 128])
    given = options.parse_args()
    speed, peak = ours(given)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = measure.folder(given.secateur, given.model, scratch)
        for dtype in given.peer_dtypes:
            arguments = [checkpoint, "--sequences", given.sequences, "--new", given.new]
            arguments += ["--dtype", dtype, "--batches", *given.peer_batches]
            found, _, peer_peak = measure.peer("generate", arguments, given.threads)
            for batch, theirs in found["tokens_per_second"].items():
                name = f"tokens/s, {dtype}, {batch}"
                rows.append((name, f"{speed:.1f}", f"{theirs:.1f}", f"{speed / theirs:.2f}"))
            peaks = (measure.mebibytes(peak), measure.mebibytes(peer_peak))
            rows.append((f"peak memory, {dtype}", *peaks, f"{peak / peer_peak:.2f}"))
    print(f"{given.sequences} sequences x {given.new} new tokens, {given.threads} threads")
    measure.table(rows)


if __name__ == "__main__":
    main()
