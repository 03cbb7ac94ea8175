"""Tasks by lm-evaluation-harness at one batch size. Prints one JSON line: seconds of scoring a task.

The harness's own code scores the requests; loading, reading data and building prompts are not
counted.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[2] / "tools" / "lm-eval"))

import harness  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a Hugging Face folder")
    parser.add_argument("data", type=pathlib.Path, help="a folder of tasks")
    parser.add_argument("--tasks", nargs="+", default=harness.TASKS)
    parser.add_argument("--limit", type=int, default=0, help="questions of a task; 0 for all")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        harness.offline(folder)
        peer = harness.Harness(given.checkpoint, given.dtype, given.batch, folder, given.threads)
        peer.ask(given.data, given.tasks[0], 8)  # first calls choose kernels
        found = {task: peer.ask(given.data, task, given.limit) for task in given.tasks}
    seconds = {task: seconds for task, (_, seconds) in found.items()}
    accuracies = {}
    for task, (samples, _) in found.items():
        values = [float(sample["acc"]) for part in samples.values() for sample in part]
        accuracies[task] = sum(values) / len(values)
    print(json.dumps({"seconds": seconds, "accuracies": accuracies}))


if __name__ == "__main__":
    main()
