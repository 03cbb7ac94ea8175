"""Tasks: seconds against lm-evaluation-harness on the same questions.

Each of our tasks is a process of its own, timed whole with loading and reading; of the harness only
the scoring counts, in the precision and at the batch size that are best for the task. `whole set` is the sum of both.
"""

import itertools
import json
import tempfile

import measure

TASKS = ["hellaswag", "arc_easy", "arc_challenge", "boolq", "mmlu", "piqa", "winogrande"]
TASKS += ["openbookqa", "sciq", "rte", "copa", "lambada_openai"]

SUBJECTS = 57  # of mmlu, which --limit is counted for one by one


def ours(given, task, checkpoint):
    """Seconds and accuracy."""
    command = [given.secateur, "eval", checkpoint, "--tasks", task, "--task-data", given.data]
    command += ["--dtype", given.dtype, "--threads", given.threads, "--json", "--quiet"]
    if given.limit:
        count = -(-given.limit // SUBJECTS) if task == "mmlu" else given.limit
        command += ["--limit", count]
    output, seconds, _ = measure.run(command, given.threads)
    found = json.loads(output)["tasks"]["tasks"][0]
    return seconds, found["models"][0]["result"]["figures"][0]["value"], found["questions"]


def main():
    options = measure.parser(__doc__)
    measure.precisions(options)
    options.add_argument("data", help="a folder of tasks, JSONL with the hub's field names")
    options.add_argument("--tasks", nargs="+", default=TASKS)
    options.add_argument("--limit", type=int, default=0, help="questions of a task; 0 for all")
    options.add_argument("--dtype", choices=measure.DTYPES, default="bf16", help="ours")
    options.add_argument("--peer-batches", type=int, nargs="+", default=[1, 8, 32])
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = measure.folder(given.secateur, given.model, scratch)
        found = {task: ours(given, task, checkpoint) for task in given.tasks}
        peers = {}
        for dtype, batch in itertools.product(given.peer_dtypes, given.peer_batches):
            arguments = [checkpoint, given.data, "--tasks", *given.tasks, "--limit", given.limit]
            arguments += ["--batch", batch, "--dtype", dtype]
            peers[f"{dtype}, {batch}"] = measure.peer("tasks", arguments, given.threads)[0]
    rows, whole, peer_whole = [], 0.0, 0.0
    for task, (seconds, accuracy, questions) in found.items():
        best = min(peers, key=lambda setting: peers[setting]["seconds"][task])
        peer_seconds = peers[best]["seconds"][task]
        whole, peer_whole = whole + seconds, peer_whole + peer_seconds
        name = f"{task}, {questions}"
        figures = (f"{seconds:.1f} s", f"{peer_seconds:.1f} s ({best})")
        rows.append((name, *figures, f"{peer_seconds / seconds:.2f}"))
        theirs = peers[best]["accuracies"][task]
        rows.append(("  acc", f"{accuracy:.4f}", f"{theirs:.4f}", ""))
    rows.append(("whole set", f"{whole:.1f} s", f"{peer_whole:.1f} s", f"{peer_whole / whole:.2f}"))
    print(f"{given.dtype}, {given.threads} threads; in brackets the harness's best precision and batch")
    measure.table(rows)


if __name__ == "__main__":
    main()
