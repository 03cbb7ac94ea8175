"""The answers of lm-evaluation-harness and of Secateur to the same questions of local data.

Every task is the harness's own, but for where its data comes from. Compared are the log-likelihood
of every request and the choice that each question gets. In f32 the harness takes its softmax in f64
(an option of its own): in f32 that alone errs by 1e-3 over 150 tokens. Exits with 1 when a log-likelihood differs
by more than the tolerance, or a choice for another reason than a near-tie; those are listed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

# Two choices are a near-tie when their log-likelihoods are closer than this.
NEAR_TIE = 2e-3


def run(given, arguments):
    """What `secateur eval` reports, and the seconds of the whole process."""
    command = [given.secateur, "eval", str(given.checkpoint), "--dtype", given.dtype]
    command += ["--json", "--quiet", *map(str, arguments)]
    begun = time.perf_counter()
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed), time.perf_counter() - begun


def secateur(given, task, folder):
    """Subject → answers in order, accuracies, and seconds, by Secateur."""
    out = folder / f"{task}.answers.jsonl"
    arguments = ["--tasks", task, "--task-data", given.data, "--answers", out]
    if given.limit:
        arguments += ["--limit", harness.limit(given.limit, task)]
    if given.shots:
        arguments += ["--shots", given.shots, "--shots-seed", given.seed]
    report, seconds = run(given, arguments)
    answers = {}
    for line in harness.records(out):
        answers.setdefault(line["part"], []).append(line)
    figures = report["tasks"]["tasks"][0]["models"][0]["result"]["figures"]
    return answers, {figure["metric"]: figure["value"] for figure in figures}, seconds


def picked(scores):
    """The first of the best."""
    return max(range(len(scores)), key=lambda index: scores[index])


def differing(ours, theirs, lengths):
    """How far apart the choices are that the two take, in nats; nothing where they take the same."""
    ours = [score / length for score, length in zip(ours, lengths)]
    theirs = [score / length for score, length in zip(theirs, lengths)]
    first, second = picked(ours), picked(theirs)
    if first == second:
        return None
    return abs(theirs[first] - theirs[second]) * min(lengths[first], lengths[second])


class Comparison:
    """What was found of one task."""

    def __init__(self, task):
        self.task, self.largest, self.requests, self.questions = task, 0.0, 0, 0
        self.right = {}
        self.differences = []  # (place, metric, nats)

    def question(self, line, sample):
        choices, resps = line["answers"][0]["choices"], [resp[0] for resp in sample["resps"]]
        assert len(choices) == len(resps), f"{self.task} {line['place']}"
        self.questions += 1
        self.requests += len(resps)
        ours, theirs = [c["log_likelihood"] for c in choices], [resp[0] for resp in resps]
        self.largest = max(self.largest, *(abs(a - b) for a, b in zip(ours, theirs)))
        lengths = {"acc": [1] * len(ours), "acc_norm": [len(a[1]) - 1 for a in sample["arguments"]]}
        for metric in lengths.keys() & sample.keys():
            self.right[metric] = self.right.get(metric, 0.0) + float(sample[metric])
            nats = differing(ours, theirs, lengths[metric])
            if len(ours) == 1 and choices[0]["greedy"] != resps[0][1]:
                nats = float("inf")  # how near another token was is not known
            if nats is not None:
                self.differences.append((line["place"], metric, nats))

    def fails(self, tolerance):
        return self.largest > tolerance or any(nats >= NEAR_TIE for _, _, nats in self.differences)

    def row(self, figures, seconds):
        cells = [self.task, self.questions, self.requests, f"{self.largest:.1e}"]
        for metric in ("acc", "acc_norm"):
            if metric in self.right:
                its = self.right[metric] / self.questions
                same = abs(figures[metric] - its) < 1e-9
                cells.append(f"{figures[metric]:.4f}" + ("" if same else f" ({its:.4f})"))
            else:
                cells.append("–")
        cells += [len(self.differences), *(f"{s:.1f}" for s in seconds)]
        return "| " + " | ".join(map(str, cells)) + " |"


def compare(given, peer, task, folder):
    """Prints the row of one task and its near-ties; whether it fails."""
    answers, figures, seconds = secateur(given, task, folder)
    samples, peer_seconds = peer.ask(given.data, task, given.limit, given.shots, given.seed)
    assert answers.keys() == samples.keys(), task
    found = Comparison(task)
    for part, lines in answers.items():
        assert len(lines) == len(samples[part]), f"{task} {part}"
        for line, sample in zip(lines, samples[part]):
            found.question(line, sample)
    print(found.row(figures, (seconds, peer_seconds)), flush=True)
    for place, metric, nats in found.differences:
        print(f"  {Path(place).name}: another choice by {metric}, {nats:.1e} nats apart", flush=True)
    return found.fails(given.tolerance)


def pages(path):
    """Pages of WikiText: records with a field `page`, or its plain text cut as the hub's set is."""
    if path.suffix == ".jsonl":
        return [record["page"] for record in harness.records(path)]
    found, page = [], []
    for line in path.read_text(encoding="utf-8").split("\n"):
        bare = line.replace("= = =", "===").replace("= =", "==").strip()
        if bare.startswith("= ") and bare.endswith(" ="):
            found.append("\n".join(page))
            page = []
        page.append(line)
    return [page for page in [*found, "\n".join(page)] if page.strip()]


def compare_wikitext(given, peer, folder):
    """Compares the figures of the harness's task wikitext; whether one fails."""
    lines = [{"page": page} for page in pages(given.wikitext)[: given.limit or None]]
    path = folder / "wikitext-pages.jsonl"
    harness.write(path, lines)
    protocol = ["--perplexity", path, "--perplexity-protocol", "wikitext"]
    report, _ = run(given, protocol)
    ours = report["perplexity"][0]["result"]["documents"]
    out, _ = peer.evaluate([harness.local_task("wikitext", "wikitext", lines, [], folder)])
    failed = False
    for metric in ("word_perplexity", "byte_perplexity", "bits_per_byte"):
        its = out["results"]["wikitext"][f"{metric},none"]
        failed |= abs(ours[metric] / its - 1) > 1e-5
        print(f"wikitext, {len(lines)} pages, {metric}: {ours[metric]:.6f} and {its:.6f}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--secateur", required=True)
    parser.add_argument("--tasks", default=",".join(harness.TASKS))
    parser.add_argument("--limit", type=int, default=200, help="questions of a task; 0 for all")
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1234, help="of the draw of examples")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--wikitext", type=Path, help="pages of WikiText to compare on as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        harness.offline(folder)
        peer = harness.Harness(given.checkpoint, given.dtype, given.batch_size, folder)
        print("| task | questions | requests | largest difference | acc | acc_norm | other choices "
              "| secateur s | harness s |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        tasks = [task for task in given.tasks.split(",") if task]
        failed = [compare(given, peer, task, folder) for task in tasks]
        if given.wikitext:
            failed.append(compare_wikitext(given, peer, folder))
    sys.exit(1 if any(failed) else 0)


if __name__ == "__main__":
    main()
