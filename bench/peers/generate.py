"""Sampled continuation by `transformers.generate`: tokens per second at each batch size.

Every sequence starts from the same prompt and gets exactly NEW tokens (end-of-text is ignored). The
time is that of `generate` alone: the model is loaded and warm. Prints one JSON line.
"""

import argparse
import json
import resource
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from precisions import DTYPES


def generate(model, ids, new, sampling):
    """Continues every row of `ids` by exactly `new` tokens."""
    return model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        max_new_tokens=new,
        pad_token_id=0,
        **sampling,
    )


def measure(model, prompt, given, batch):
    """Seconds for all sequences, `batch` at a time."""
    start = time.perf_counter()
    for first in range(0, given.sequences, batch):
        rows = min(batch, given.sequences - first)
        texts = generate(model, prompt.repeat(rows, 1), given.new, SAMPLING)
        assert texts.shape == (rows, prompt.shape[1] + given.new), texts.shape
    return time.perf_counter() - start


# the calibration-data paper's (Ji et al., ICLR 2025)
SAMPLING = {"top_k": 50, "top_p": 0.95, "temperature": 0.6, "repetition_penalty": 1.2}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a Hugging Face folder")
    parser.add_argument("--prompt", default="The history of the city")
    parser.add_argument("--sequences", type=int, default=128)
    parser.add_argument("--new", type=int, default=128)
    parser.add_argument("--batches", type=int, nargs="+", default=[64])
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(given.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(given.checkpoint, dtype=DTYPES[given.dtype]).eval()
    model.generation_config.eos_token_id = None
    prompt = tokenizer(given.prompt, return_tensors="pt").input_ids
    with torch.inference_mode():
        generate(model, prompt.repeat(2, 1), 4, SAMPLING)
        seconds = {batch: measure(model, prompt, given, batch) for batch in given.batches}
    tokens = given.sequences * given.new
    speeds = {batch: tokens / time for batch, time in seconds.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens_per_second": speeds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
