"""The answers of lm-evaluation-harness and of Secateur to the same questions of local data.

Every task is the harness's own, but for where its data comes from. Compared are the log-likelihood
of every request and the accuracies. Exits with 1 when a log-likelihood differs by more than the
tolerance, or an accuracy for another reason than a near-tie.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
TASKS += ["sciq", "rte", "copa", "lambada_openai", "mmlu"]

# Two choices are a near-tie when their scores are closer than this.
NEAR_TIE = 2e-3


def data_file(folder, task):
    """The file of a task's questions, found as Secateur finds it."""
    names = ["lambada_openai", "lambada"] if task == "lambada_openai" else [task]
    for name in names:
        endings = ["", "_validation", "_val", "_test", "_eval", "_[0-9]*"]
        for ending in endings:
            found = sorted(folder.glob(f"{name}{ending}.jsonl"))
            if found:
                return found[0]
    sys.exit(f"{task}: no data in {folder}")


def records(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def with_hub_fields(task, record):
    """The fields that the harness's task reads, where the local file names them otherwise."""
    if task == "boolq" and "label" not in record:
        record["label"] = int(record["answer"])
    if task == "hellaswag" and "label" not in record:
        record["label"] = record["gold"]
    if task == "rte" and "sentence1" not in record:
        record["sentence1"], record["sentence2"] = record["premise"], record["hypothesis"]
    return record


def local_task(name, base, lines, folder, shots):
    """The harness's task `name`, reading `lines` (and `shots`) instead of the hub."""
    files = {"test": str(folder / f"{name}.jsonl")}
    write(files["test"], lines)
    config = {
        "task": name, "dataset_path": "json", "dataset_name": None, "training_split": None,
        "validation_split": None, "test_split": "test",
    }
    if shots:
        files["shots"] = str(folder / f"{name}.shots.jsonl")
        write(files["shots"], shots)
        config |= {"fewshot_split": "shots", "fewshot_config": {"sampler": "first_n"}}
    else:
        config |= {"fewshot_split": "test"}
    config["dataset_kwargs"] = {"data_files": files}
    if base == "hellaswag" and "query" in lines[0]:
        config["process_docs"] = None  # these records are clean already
    return config


def limit(given, task):
    """Questions of a task, or of each of the 57 subjects of mmlu, to reach the limit together."""
    return -(-given.limit // 57) if task == "mmlu" else given.limit


def local_tasks(given, folder):
    """Name → (task of the command line, configuration) of everything that is compared."""
    tasks = {}
    for task in given.tasks.split(","):
        lines = [with_hub_fields(task, line) for line in records(data_file(given.data, task))]
        shots = []
        if given.shots:
            shots = records(next(iter(sorted(given.data.glob(f"{task}_dev.jsonl")))))
        parts = {task: (lines, shots)}
        if task == "mmlu":
            subjects = dict.fromkeys(line["subject"] for line in lines)
            of = lambda lines, subject: [line for line in lines if line["subject"] == subject]
            parts = {f"mmlu_{s}": (of(lines, s), of(shots, s)) for s in subjects}
        for name, (lines, shots) in parts.items():
            lines = lines[: limit(given, task)]
            tasks[name] = (task, local_task(name, task, lines, folder, shots))
    return tasks


def load(manager, config):
    """The harness's own task with some of its settings replaced."""
    entry = manager.task_index[config["task"]]
    return manager._factory.build(entry, overrides=config, registry=manager.task_index)


class Timed:
    """A model of the harness that adds up the seconds it spends scoring."""

    def __init__(self, model):
        self.seconds = 0.0
        inner = model.loglikelihood

        def loglikelihood(requests, **kwargs):
            begun = time.perf_counter()
            result = inner(requests, **kwargs)
            self.seconds += time.perf_counter() - begun
            return result

        model.loglikelihood = loglikelihood


def harness(given, folder):
    """Per task of the command line: answers, accuracies and seconds by the harness."""
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    dtype = {"f32": "float32", "bf16": "bfloat16"}[given.dtype]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    model = HFLM(str(given.checkpoint), device="cpu", dtype=dtype, batch_size=given.batch_size)
    timed = Timed(model)
    manager = TaskManager()
    found = {}
    local = local_tasks(given, folder)
    for task in given.tasks.split(","):
        timed.seconds = 0.0
        configs = [config for base, config in local.values() if base == task]
        loaded = [load(manager, config) for config in configs]
        out = simple_evaluate(
            model, tasks=loaded, log_samples=True, bootstrap_iters=0, num_fewshot=given.shots
        )
        answers = {}
        for name, samples in out["samples"].items():
            for sample in sorted(samples, key=lambda sample: sample["doc_id"]):
                resps = [resp[0] for resp in sample["resps"]]
                sample["part"] = name.removeprefix("mmlu_") if task == "mmlu" else None
                answers.setdefault(sample["part"], []).append((resps, sample))
        found[task] = {"answers": answers, "seconds": timed.seconds}
    return found


def secateur(given, folder):
    """The same by Secateur; the seconds are those of the whole process."""
    found = {}
    for task in given.tasks.split(","):
        out = folder / f"{task}.answers.jsonl"
        command = [given.secateur, "eval", str(given.checkpoint), "--tasks", task]
        command += ["--task-data", str(given.data), "--dtype", given.dtype, "--json", "--quiet"]
        command += ["--limit", str(limit(given, task)), "--shots", str(given.shots), "--answers", str(out)]
        begun = time.perf_counter()
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds = time.perf_counter() - begun
        answers = {}
        for line in records(out):
            answers.setdefault(line["part"], []).append(line)
        report = json.loads(printed)["tasks"]["tasks"][0]
        found[task] = {"answers": answers, "seconds": seconds, "report": report}
    return found


def near_tie(scores):
    best = sorted(scores, reverse=True)
    return len(best) > 1 and best[0] - best[1] < NEAR_TIE


def compare(task, ours, theirs):
    """Largest difference, requests, questions, both accuracies (acc, acc_norm) and near-ties."""
    largest, requests, right, ties, questions = 0.0, 0, {}, 0, 0
    assert ours["answers"].keys() == theirs["answers"].keys(), task
    for part, lines in ours["answers"].items():
        samples = theirs["answers"][part]
        assert len(lines) == len(samples), f"{task} {part}: {len(lines)} and {len(samples)}"
        for line, (resps, sample) in zip(lines, samples):
            choices = line["answers"][0]["choices"]
            assert len(choices) == len(resps), f"{task} {line['place']}"
            questions += 1
            requests += len(resps)
            for choice, (log_likelihood, _) in zip(choices, resps):
                largest = max(largest, abs(choice["log_likelihood"] - log_likelihood))
            ties += near_tie([resp[0] for resp in resps])
            for metric in ("acc", "acc_norm"):
                if metric in sample:
                    right[metric] = right.get(metric, 0.0) + float(sample[metric])
    report = {f["metric"]: f["value"] for f in ours["report"]["models"][0]["result"]["figures"]}
    accuracies = {m: (report[m], count / questions) for m, count in right.items()}
    return largest, requests, questions, accuracies, ties


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--secateur", required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--limit", type=int, default=200, help="questions of a task")
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        os.environ |= {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
        os.environ |= {"HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        os.environ |= {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        ours, theirs = secateur(given, folder), harness(given, folder)
        print(f"| task | questions | requests | largest difference | near-ties | acc | acc_norm "
              f"| secateur s | harness s | ratio |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
        for task in given.tasks.split(","):
            largest, requests, questions, accuracies, ties = compare(task, ours[task], theirs[task])
            shown = []
            for metric in ("acc", "acc_norm"):
                mine, its = accuracies.get(metric, (None, None))
                same = mine is None or abs(mine - its) < 1e-9
                failed |= not same and abs(mine - its) * questions > ties + 1e-9
                shown.append("" if mine is None else f"{mine:.4f}" + ("" if same else f" ({its:.4f})"))
            failed |= largest > given.tolerance
            seconds = ours[task]["seconds"], theirs[task]["seconds"]
            print(f"| {task} | {questions} | {requests} | {largest:.2e} | {ties} | {shown[0]} "
                  f"| {shown[1]} | {seconds[0]:.1f} | {seconds[1]:.1f} "
                  f"| {seconds[1] / seconds[0]:.2f} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
