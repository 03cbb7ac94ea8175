"""What the benchmarks share: running a command with a clock, its peak memory, one table."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

DTYPES = ["bf16", "f32"]
PEERS = pathlib.Path(__file__).parent / "peers"


def parser(text):
    """The options every benchmark has."""
    # a benchmark that is ended ends what it runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: terminated"))
    options = argparse.ArgumentParser(description=text)
    options.add_argument("model", help="a Hugging Face folder or a .gguf file")
    options.add_argument("--secateur", required=True, help="the binary; bench/run gives it")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    return options


def precisions(options):
    """Adds the option of the peer's precisions."""
    text = "the peer's precisions; f32 is its faster one where the processor multiplies no bf16"
    options.add_argument("--peer-dtypes", nargs="+", choices=DTYPES, default=["bf16"], help=text)


def run(command, threads):
    """Runs a command; its standard output, seconds and peak resident bytes.

    Peak memory counts the pages of mapped files too, for both sides.
    """
    variables = os.environ | {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, env=variables, text=True
    )
    try:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        raise
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"error: {command[0]} failed with status {status}: {' '.join(map(str, command))}")
    return output, seconds, usage.ru_maxrss * 1024


def peer(name, arguments, threads):
    """Runs a peer, which prints one JSON line; that, its seconds and peak resident bytes."""
    command = [sys.executable, PEERS / f"{name}.py", *arguments, "--threads", threads]
    output, seconds, peak = run(command, threads)
    return json.loads(output.splitlines()[-1]), seconds, peak


def folder(secateur, model, into):
    """MODEL as a Hugging Face folder, which the peers need; a .gguf file is written out as one."""
    if os.path.isdir(model):
        return model
    target = os.path.join(into, "checkpoint")
    command = [secateur, "prune", model, "-o", target, "--quiet"]
    command += ["--method", "magnitude", "--sparsity", "0", "--divergence", "off"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return target


def calibration(options):
    """Adds the options of the calibration tokens that both sides read; `tokens` makes them."""
    options.add_argument("text", help="calibration documents (.jsonl or text)")
    options.add_argument("--samples", type=int, default=128)
    options.add_argument("--length", type=int, default=2048)
    options.add_argument("--packing", default="stream", help="as in `secateur calibrate`")


def tokens(given, checkpoint, into):
    """The file of the calibration tokens that `given` asks for."""
    file = os.path.join(into, "tokens.safetensors")
    command = [given.secateur, "calibrate", checkpoint, "-o", file, "--quiet"]
    command += ["--calibration", given.text, "--packing", given.packing]
    command += ["--samples", given.samples, "--length", given.length]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return file


def table(rows):
    """Prints (what, secateur, peer, ratio) rows."""
    for what, ours, theirs, ratio in (("", "secateur", "peer", "ratio"), *rows):
        print(f"{what:24} {ours:>14} {theirs:>14} {ratio:>8}")


def mebibytes(count):
    """Bytes for reading."""
    return f"{count / 2**20:,.0f} MiB"
