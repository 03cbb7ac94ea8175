"""Perplexity of the first windows of a text: seconds against `transformers`.

Whole processes are timed, loading included, for both.
"""

import itertools
import json
import os
import tempfile

import measure


def main():
    options = measure.parser(__doc__)
    measure.precisions(options)
    options.add_argument("text")
    options.add_argument("--window", type=int, default=2048)
    options.add_argument("--bytes", type=int, default=100_000, help="bytes of the text; 0 for all")
    options.add_argument("--peer-batches", type=int, nargs="+", default=[1, 4])
    given = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = measure.folder(given.secateur, given.model, scratch)
        text = os.path.join(scratch, "slice.txt")
        with open(given.text, "rb") as whole, open(text, "wb") as part:
            part.write(whole.read(given.bytes or -1).decode("utf-8", "ignore").encode())
        command = [given.secateur, "eval", checkpoint, "--perplexity", text, "--json", "--quiet"]
        command += ["--window", given.window, "--dtype", "bf16", "--threads", given.threads]
        output, seconds, peak = measure.run(command, given.threads)
        ours = json.loads(output)["perplexity"][0]["result"]
        for dtype, batch in itertools.product(given.peer_dtypes, given.peer_batches):
            arguments = [checkpoint, text, "--window", given.window]
            arguments += ["--batch", batch, "--dtype", dtype]
            theirs, peer_seconds, peer_peak = measure.peer("perplexity", arguments, given.threads)
            assert theirs["windows"] == ours["windows"], (theirs, ours)
            figures = (f"{seconds:.1f}", f"{peer_seconds:.1f}", f"{peer_seconds / seconds:.2f}")
            rows.append((f"seconds, {dtype}, {batch}", *figures))
            peaks = (measure.mebibytes(peak), measure.mebibytes(peer_peak))
            rows.append((f"peak memory, {dtype}, {batch}", *peaks, f"{peak / peer_peak:.2f}"))
    rows.append(("perplexity", f"{ours['perplexity']:.4f}", f"{theirs['perplexity']:.4f}", ""))
    print(f"{ours['windows']} windows of {given.window} tokens, {given.threads} threads")
    measure.table(rows)


if __name__ == "__main__":
    main()
