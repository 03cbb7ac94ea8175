"""Perplexity by `transformers`, the standard protocol. Prints one JSON line.

The text is tokenised once, cut into windows that do not overlap, the tail dropped; all tokens of a
window but the first are scored. Windows run `--batch` at a time.
"""

import argparse
import json
import math
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from precisions import DTYPES


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a Hugging Face folder")
    parser.add_argument("text")
    parser.add_argument("--window", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    tokenizer = AutoTokenizer.from_pretrained(given.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(given.checkpoint, dtype=DTYPES[given.dtype]).eval()
    # newline="": Python would otherwise turn CRLF into LF, and the texts would differ
    with open(given.text, encoding="utf-8", newline="") as file:
        ids = tokenizer(file.read(), return_tensors="pt").input_ids[0]
    windows = ids[: len(ids) // given.window * given.window].view(-1, given.window)
    loss, start = 0.0, time.perf_counter()
    with torch.inference_mode():
        for rows in windows.split(given.batch):
            logits = model(rows, use_cache=False).logits[:, :-1].flatten(0, 1)
            targets = rows[:, 1:].flatten()
            loss += torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum").item()
    seconds = time.perf_counter() - start
    perplexity = math.exp(loss / (windows.numel() - len(windows)))
    print(json.dumps({"perplexity": perplexity, "windows": len(windows), "seconds": seconds}))


if __name__ == "__main__":
    main()
