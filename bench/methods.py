"""Pruning methods by time, against the published SparseGPT procedure, in one run.

All read the same calibration tokens (made before the clocks start), load the model, prune it and write
it; whole processes are timed, without evaluation. "wanda + gram" measures Gram matrices and does nothing
with them: Wanda with `--refit` at no sparsity, where least squares find nothing to do.
"""

import json
import os
import shutil
import tempfile

import measure

# name, options
OURS = [
    ("wanda", ["--method", "wanda"]),
    ("wanda + gram", ["--method", "wanda", "--refit", "--sparsity", "0"]),
    ("wanda + refit", ["--method", "wanda", "--refit"]),
    ("sparsegpt", ["--method", "sparsegpt"]),
    ("alps", ["--method", "alps"]),
    ("wanda, owl", ["--method", "wanda", "--allocation", "owl"]),
]
PEER = "published sparsegpt"

# what a method may take at most: (method, other method, times its seconds)
LIMITS = [
    ("sparsegpt", PEER, 1 / 4),
    ("alps", "sparsegpt", 2),
    ("wanda + refit", "wanda + gram", 1.3),
]


def main():
    options = measure.parser(__doc__)
    measure.precisions(options)
    measure.calibration(options)
    options.add_argument("--sparsity", type=float, default=0.5)
    options.add_argument("--json", help="a file for all figures")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = measure.folder(given.secateur, given.model, scratch)
        tokens = measure.tokens(given, checkpoint, scratch)
        found = {name: ours(given, checkpoint, tokens, scratch, name, more) for name, more in OURS}
        peers = [peer(given, checkpoint, tokens, scratch, dtype) for dtype in given.peer_dtypes]
        found[PEER] = min(peers, key=lambda run: run["seconds"])
    show(given, found)
    if given.json:
        record = {"samples": given.samples, "length": given.length, "sparsity": given.sparsity}
        record |= {"threads": given.threads, "runs": found}
        with open(given.json, "w") as file:
            json.dump(record, file, indent=2)


def ours(given, checkpoint, tokens, scratch, name, more):
    """Seconds, peak memory and zeros of one of our runs."""
    out = os.path.join(scratch, "ours")
    command = [given.secateur, "prune", checkpoint, "-o", out, "--calibration", tokens, *more]
    command += [] if "--sparsity" in more else ["--sparsity", given.sparsity]
    command += ["--divergence", "off", "--quiet", "--json"]
    command += ["--dtype", "bf16", "--threads", given.threads]
    output, seconds, peak = measure.run(command, given.threads)
    shutil.rmtree(out)
    report = json.loads(output)
    return {"seconds": seconds, "peak_bytes": peak, "zeros": report["sparsity"]["achieved"]}


def peer(given, checkpoint, tokens, scratch, dtype):
    """The same of the published procedure in one precision."""
    out = os.path.join(scratch, "theirs")
    arguments = [checkpoint, tokens, "--out", out, "--sparsity", given.sparsity]
    arguments += ["--dtype", dtype]
    found, seconds, peak = measure.peer("sparsegpt", arguments, given.threads)
    pruning, zeros = found["seconds"]["prune"], found["zeros"]
    run = {"seconds": seconds, "peak_bytes": peak, "zeros": zeros}
    return run | {"pruning": pruning, "dtype": dtype}


def show(given, found):
    """One table of all runs, and the limits."""
    sizes = f"{given.samples} x {given.length} tokens, sparsity {given.sparsity}"
    print(f"{sizes}, {given.threads} threads, whole processes\n")
    print(f"{'':22} {'seconds':>9} {'peer / it':>10} {'peak memory':>13} {'zeros':>7}")
    for name, run in found.items():
        ratio = found[PEER]["seconds"] / run["seconds"]
        print(f"{name:22} {run['seconds']:>9.1f} {ratio:>10.2f} "
              f"{measure.mebibytes(run['peak_bytes']):>13} {run['zeros']:>7.4f}")
    pruning = found[PEER]["pruning"]
    print(f"{'the pruning of it':22} {pruning:>9.1f}   in {found[PEER]['dtype']}")
    print()
    for name, other, times in LIMITS:
        ratio = found[name]["seconds"] / found[other]["seconds"]
        verdict = "holds" if ratio <= times else "exceeded"
        print(f"{name} / {other}: {ratio:.2f}, at most {times:.2f}: {verdict}")


if __name__ == "__main__":
    main()
