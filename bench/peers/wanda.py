"""Wanda as published (Sun et al. 2023), in PyTorch: two passes over every block.

A rendering of the published driver for models of the Llama family: the hidden states of all
calibration sequences are kept; per block every sequence is forwarded once, one at a time, while
`scaler_row` (the mean over sequences of the squared norm of each input) is collected in f32 by
hooks; every linear of the block is pruned row by row; every sequence is forwarded again for the
inputs of the next block. Weights and activations are bf16 (the published code's half precision).

TOKENS is a calibration set of equally long sequences that `secateur calibrate` wrote; the time does
not include making it. Writes the pruned model to OUT. Prints one JSON line.
"""

import argparse
import json
import resource
import time

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


class Statistics:
    """`scaler_row` of one linear, as the published WrappedGPT collects it."""

    def __init__(self, linear):
        self.scaler_row = torch.zeros(linear.in_features)
        self.samples = 0

    def add(self, inputs):
        """Takes the inputs of one sequence, `[1, tokens, in]`."""
        rows = inputs.reshape(-1, inputs.shape[-1]).t()
        self.scaler_row *= self.samples / (self.samples + 1)
        self.samples += 1
        self.scaler_row += torch.norm(rows.float(), p=2, dim=1) ** 2 / self.samples


def first_block_inputs(model, sequences):
    """Hidden states before the first block, and the other arguments of a block."""
    captured = {}

    class Stop(Exception):
        pass

    def capture(_, positional, keywords):
        captured["states"] = positional[0] if positional else keywords["hidden_states"]
        captured["arguments"] = {k: v for k, v in keywords.items() if k != "hidden_states"}
        raise Stop

    hook = model.model.layers[0].register_forward_pre_hook(capture, with_kwargs=True)
    length, hidden = sequences.shape[1], model.config.hidden_size
    states = torch.zeros(len(sequences), length, hidden, dtype=model.dtype)
    for index, tokens in enumerate(sequences):
        try:
            model(tokens[None], use_cache=False)
        except Stop:
            states[index] = captured["states"][0]
    hook.remove()
    return states, captured["arguments"]


def forward(block, states, out, arguments):
    """Every sequence through the block, one at a time."""
    for index in range(len(states)):
        result = block(states[index][None], **arguments)
        out[index] = (result[0] if isinstance(result, tuple) else result)[0]


def prune(linear, statistics, sparsity):
    """Zeroes the smallest |W| * sqrt(scaler_row) of every row."""
    weight = linear.weight.data
    metric = weight.abs() * torch.sqrt(statistics.scaler_row.reshape(1, -1))
    order = torch.sort(metric, dim=-1, stable=True)[1]
    mask = torch.zeros_like(metric, dtype=torch.bool)
    mask.scatter_(1, order[:, : int(metric.shape[1] * sparsity)], True)
    weight[mask] = 0


def wanda(model, sequences, sparsity):
    """Prunes every linear of every block; the share of zeros."""
    states, arguments = first_block_inputs(model, sequences)
    out = torch.zeros_like(states)
    zeros = total = 0
    for block in model.model.layers:
        linears = {n: m for n, m in block.named_modules() if isinstance(m, torch.nn.Linear)}
        statistics = {name: Statistics(linear) for name, linear in linears.items()}
        hooks = [
            linear.register_forward_hook(lambda _, x, __, s=statistics[name]: s.add(x[0].data))
            for name, linear in linears.items()
        ]
        forward(block, states, out, arguments)
        for hook in hooks:
            hook.remove()
        for name, linear in linears.items():
            prune(linear, statistics[name], sparsity)
            zeros += (linear.weight == 0).sum().item()
            total += linear.weight.numel()
        forward(block, states, out, arguments)
        states, out = out, states
    return zeros / total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="a Hugging Face folder")
    parser.add_argument("tokens")
    parser.add_argument("--out", required=True)
    parser.add_argument("--sparsity", type=float, default=0.5)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    start = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(given.checkpoint, dtype=torch.bfloat16).eval()
    saved = load_file(given.tokens)
    sequences = saved["tokens"].long().view(len(saved["ends"]), -1)
    loaded = time.perf_counter()
    with torch.inference_mode():
        share = wanda(model, sequences, given.sparsity)
    pruned = time.perf_counter()
    model.save_pretrained(given.out)
    seconds = {"load": loaded - start, "prune": pruned - loaded, "save": time.perf_counter() - pruned}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "zeros": share, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
