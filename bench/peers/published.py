"""The published driver of layer-wise pruning, in PyTorch: two passes over every block.

A rendering, for models of the Llama family, of the loop that the code of Wanda and SparseGPT share:
the hidden states of all calibration sequences are kept; per block every sequence is forwarded once,
one at a time, while hooks collect what the method measures of each linear's input; every linear of
the block is pruned; every sequence is forwarded again for the inputs of the next block. Weights and
activations are bf16 (the published code's half precision), or f32 with `--dtype f32`.

A method is a class: `Method(linear)` begins its statistics, `add(inputs)` takes the inputs of one
sequence, `[1, tokens, in]`, and `prune(sparsity)` changes the linear's weights.
"""

import argparse
import json
import resource
import time

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from precisions import DTYPES


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


def prune(model, sequences, method, sparsity):
    """Prunes every linear of every block; the share of zeros."""
    states, arguments = first_block_inputs(model, sequences)
    out = torch.zeros_like(states)
    zeros = total = 0
    for block in model.model.layers:
        linears = [m for m in block.modules() if isinstance(m, torch.nn.Linear)]
        methods = [method(linear) for linear in linears]
        hooks = [
            linear.register_forward_hook(lambda _, x, __, m=measured: m.add(x[0].data))
            for linear, measured in zip(linears, methods)
        ]
        forward(block, states, out, arguments)
        for hook in hooks:
            hook.remove()
        for linear, measured in zip(linears, methods):
            measured.prune(sparsity)
            zeros += (linear.weight == 0).sum().item()
            total += linear.weight.numel()
        forward(block, states, out, arguments)
        states, out = out, states
    return zeros / total


def main(text, method):
    """Prunes a checkpoint by `method` and prints one JSON line."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("checkpoint", help="a Hugging Face folder")
    parser.add_argument("tokens", help="a calibration set that `secateur calibrate` wrote")
    parser.add_argument("--out", required=True)
    parser.add_argument("--sparsity", type=float, default=0.5)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    start = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(given.checkpoint, dtype=DTYPES[given.dtype]).eval()
    saved = load_file(given.tokens)
    sequences = saved["tokens"].long().view(len(saved["ends"]), -1)
    loaded = time.perf_counter()
    with torch.inference_mode():
        share = prune(model, sequences, method, given.sparsity)
    pruned = time.perf_counter()
    model.save_pretrained(given.out)
    seconds = {"load": loaded - start, "prune": pruned - loaded, "save": time.perf_counter() - pruned}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "zeros": share, "peak_bytes": peak}))
