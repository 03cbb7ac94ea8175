"""lm-evaluation-harness on local data: every task is its own, but for where its data comes from."""

import json
import os
import sys
import time
from pathlib import Path

TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
TASKS += ["sciq", "rte", "copa", "lambada_openai", "mmlu"]

SUBJECTS = 57  # of mmlu, each a task of the harness


def offline(folder):
    """Keeps the harness from the network and from the user's caches; before its first import."""
    os.environ |= {"HF_HOME": str(Path(folder) / "hf"), "HF_HUB_OFFLINE": "1"}
    os.environ |= {"HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    os.environ |= {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


def data_file(folder, task, endings=("", "_validation", "_val", "_test", "_eval", "_[0-9]*")):
    """The file of a task's questions, found as Secateur finds it."""
    names = ["lambada_openai", "lambada"] if task == "lambada_openai" else [task]
    for name in names:
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


def limit(count, task):
    """Questions of a task, or of each subject of mmlu, to reach `count` together."""
    return -(-count // SUBJECTS) if count and task == "mmlu" else count


def local_task(name, base, lines, shots, folder):
    """Settings of the harness's task `name` for reading `lines`, and `shots` as examples."""
    questions, examples = folder / f"{name}.jsonl", folder / f"{name}.shots.jsonl"
    write(questions, lines)
    write(examples, shots or lines)  # without shots nothing is drawn from it
    files = {"train": examples, "dev": examples, "validation": questions, "test": questions}
    files = {split: str(path) for split, path in files.items()}
    config = {"task": name, "dataset_path": "json", "dataset_name": None}
    config["dataset_kwargs"] = {"data_files": files}
    if base == "hellaswag" and "query" in lines[0]:
        config["process_docs"] = None  # these records are clean already
    return config


def local_tasks(data, task, count, shots, folder):
    """The harness's settings for a task of the command line: one, or one for every subject."""
    lines = [with_hub_fields(task, line) for line in records(data_file(data, task))]
    examples = []
    if shots:
        endings = ["_dev"] if task == "mmlu" else ["_train"]
        found = records(data_file(data, task, endings))
        examples = [with_hub_fields(task, line) for line in found]
    parts = {task: (lines, examples)}
    if task == "mmlu":
        of = lambda lines, subject: [line for line in lines if line["subject"] == subject]
        subjects = dict.fromkeys(line["subject"] for line in lines)
        parts = {f"mmlu_{s}": (of(lines, s), of(examples, s)) for s in subjects}
    count = limit(count, task) or None
    return [local_task(name, task, lines[:count], examples, folder)
            for name, (lines, examples) in parts.items()]


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


class Harness:
    """A checkpoint in the harness, on the processor."""

    def __init__(self, checkpoint, dtype, batch_size, folder, threads=None):
        import torch
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        torch.set_num_threads(threads or int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
        # its softmax in f32 is off by some 8e-6 a token, beyond the tolerance in a long continuation
        softmax = {"f32": "float64", "bf16": None}[dtype]
        dtype = {"f32": "float32", "bf16": "bfloat16"}[dtype]
        self.model = HFLM(
            str(checkpoint), device="cpu", dtype=dtype, softmax_dtype=softmax, batch_size=batch_size
        )
        self.timed = Timed(self.model)
        self.manager = TaskManager()
        self.folder = Path(folder)

    def evaluate(self, configs, shots=0, seed=1234):
        """Runs tasks with some of their settings replaced; the harness's result, scoring seconds."""
        from lm_eval import simple_evaluate

        index = self.manager.task_index
        build = lambda config: self.manager._factory.build(
            index[config["task"]], overrides=config, registry=index)
        self.timed.seconds = 0.0
        out = simple_evaluate(
            self.model, tasks=[build(config) for config in configs], log_samples=True,
            bootstrap_iters=0, num_fewshot=shots, fewshot_random_seed=seed,
        )
        return out, self.timed.seconds

    def ask(self, data, task, count, shots=0, seed=1234):
        """Subject → samples in order, and the seconds of scoring, of a task of the command line."""
        configs = local_tasks(Path(data), task, count, shots, self.folder)
        out, seconds = self.evaluate(configs, shots, seed)
        samples = {}
        for name, found in out["samples"].items():
            part = name.removeprefix("mmlu_") if task == "mmlu" else None
            samples[part] = sorted(found, key=lambda sample: sample["doc_id"])
        return samples, seconds
