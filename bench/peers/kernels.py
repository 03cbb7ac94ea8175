"""Times of PyTorch at the shapes of `cargo bench -p secateur-compute --bench kernels`.

Prints one JSON object per line: the case, the seconds of the fastest of several runs, and how the
peer was set. Where PyTorch has more than one way, all are timed and each prints a line; the
comparison takes the fastest of those that compute what ours does.

Usage: kernels.py [--threads N] [--part TEXT]
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F

from precisions import DTYPES

LAYERS = [(576, 576), (576, 1536), (2048, 2048), (2048, 8192), (4096, 11008)]
TOKENS = 2048


def fastest(work):
    """Seconds of the fastest run of those that fit in a quarter of a second, at least three."""
    work()
    start, best, runs = time.perf_counter(), float("inf"), 0
    while runs < 3 or time.perf_counter() - start < 0.25:
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
        runs += 1
    return best


def random(*shape, dtype=torch.float32):
    return (torch.rand(*shape) - 0.5).to(dtype)


class Bench:
    def __init__(self, part):
        self.part = part

    def wants(self, case):
        return self.part in case

    def case(self, case, setting, work):
        line = {"case": case, "setting": setting, "seconds": fastest(work)}
        print(json.dumps(line), flush=True)


def linear(bench, rows, inputs, outputs, dtype):
    case = f"linear {dtype} {rows} {inputs}x{outputs}"
    if not bench.wants(case):
        return
    weight = random(outputs, inputs, dtype=DTYPES[dtype])
    x = random(rows, inputs, dtype=DTYPES[dtype])
    bench.case(case, "linear", lambda: F.linear(x, weight))
    # What torch.compile does with frozen weights: the weight in oneDNN's own blocks.
    blocked = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    packed = torch.ops.mkldnn._linear_pointwise
    bench.case(case, "oneDNN packed", lambda: packed(x, blocked, None, "none", [], ""))


def attention(bench, heads, kv_heads, width, tokens, past, dtype):
    case = f"attention {dtype} {tokens}+{past} {heads}/{kv_heads}x{width}"
    if not bench.wants(case):
        return
    q = random(1, heads, tokens, width, dtype=DTYPES[dtype])
    k = random(1, kv_heads, tokens + past, width, dtype=DTYPES[dtype])
    v = random(1, kv_heads, tokens + past, width, dtype=DTYPES[dtype])
    call, causal = F.scaled_dot_product_attention, past == 0
    bench.case(case, "grouped", lambda: call(q, k, v, is_causal=causal, enable_gqa=True))
    # The keys and values of every head laid out beforehand: its copies are not counted.
    k, v = (m.repeat_interleave(heads // kv_heads, 1) for m in (k, v))
    bench.case(case, "repeated beforehand", lambda: call(q, k, v, is_causal=causal))


def gram(bench, width):
    for dtype in DTYPES:
        case = f"gram {dtype} {TOKENS} {width}"
        if not bench.wants(case):
            continue
        x = random(TOKENS, width, dtype=DTYPES[dtype]).float()
        total = torch.zeros(width, width)
        bench.case(case, "f32 addmm", lambda: total.addmm_(x.t(), x))


def block(bench, dtype):
    """One decoder layer of SmolLM2-135M in transformers, with random weights."""
    case = f"block {dtype} {TOKENS} smollm2-135m"
    if not bench.wants(case):
        return
    from transformers import LlamaConfig
    from transformers.models.llama import modeling_llama as llama

    for implementation in ["sdpa", "eager"]:
        config = LlamaConfig(
            hidden_size=576,
            intermediate_size=1536,
            num_attention_heads=9,
            num_key_value_heads=3,
            num_hidden_layers=1,
            max_position_embeddings=TOKENS,
            attn_implementation=implementation,
        )
        model = llama.LlamaModel(config).to(DTYPES[dtype]).eval()
        hidden = random(1, TOKENS, 576, dtype=DTYPES[dtype])
        positions = torch.arange(TOKENS).unsqueeze(0)
        angles = model.rotary_emb(hidden, positions)
        mask = None
        if implementation == "eager":
            mask = torch.full((TOKENS, TOKENS), float("-inf"), dtype=DTYPES[dtype]).triu(1)[None, None]
        layer = model.layers[0]
        run = lambda: layer(hidden, attention_mask=mask, position_embeddings=angles)
        bench.case(case, f"transformers {implementation}", run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--part", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.part)
    with torch.inference_mode():
        for dtype in DTYPES:
            block(bench, dtype)
        for dtype in DTYPES:
            for inputs, outputs in LAYERS:
                linear(bench, TOKENS, inputs, outputs, dtype)
        for dtype in DTYPES:
            for rows in [1, 4, 8, 16, 32, 64]:
                linear(bench, rows, 4096, 4096, dtype)
        for dtype in DTYPES:
            for heads, kv_heads, width in [(9, 3, 64), (32, 8, 128)]:
                for tokens, past in [(TOKENS, 0), (1, TOKENS - 1)]:
                    attention(bench, heads, kv_heads, width, tokens, past, dtype)
        for width in [576, 1536, 2048, 4096, 8192]:
            gram(bench, width)


if __name__ == "__main__":
    main()
