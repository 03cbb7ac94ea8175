"""Wanda at 50 %: the whole job without evaluation against the published two-pass procedure.

Both read the same calibration tokens (made before the clocks start), load the model, prune it and
write it. `--propagation reference` gives the published procedure in Secateur too, with the same
result; the default, staged, runs every linear once.
"""

import os
import tempfile

import measure


def main():
    options = measure.parser(__doc__)
    measure.precisions(options)
    measure.calibration(options)
    options.add_argument("--propagation", default="staged")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = measure.folder(given.secateur, given.model, scratch)
        tokens = measure.tokens(given, checkpoint, scratch)
        command = [given.secateur, "prune", checkpoint, "-o", os.path.join(scratch, "ours")]
        command += ["--calibration", tokens, "--method", "wanda", "--sparsity", "0.5"]
        command += ["--propagation", given.propagation, "--divergence", "off", "--quiet"]
        command += ["--dtype", "bf16", "--threads", given.threads]
        _, seconds, peak = measure.run(command, given.threads)
        rows = []
        for dtype in given.peer_dtypes:
            arguments = [checkpoint, tokens, "--out", os.path.join(scratch, "theirs")]
            arguments += ["--dtype", dtype]
            found, theirs, peer_peak = measure.peer("wanda", arguments, given.threads)
            inner = found["seconds"]["prune"]
            peaks = (measure.mebibytes(peak), measure.mebibytes(peer_peak))
            rows += [
                (f"whole job, s, {dtype}", f"{seconds:.1f}", f"{theirs:.1f}", f"{theirs / seconds:.2f}"),
                ("peer's pruning alone, s", "", f"{inner:.1f}", f"{inner / seconds:.2f}"),
                ("peak memory", *peaks, f"{peak / peer_peak:.2f}"),
            ]
    print(f"{given.samples} x {given.length} tokens, {given.threads} threads, {given.propagation}")
    measure.table(rows)


if __name__ == "__main__":
    main()
