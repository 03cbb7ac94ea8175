"""Makes gguf-types.gguf and gguf-types.json: a tiny Llama file that uses every storage type.

The file is written by the `gguf` package; its quantised tensors are random blocks. The JSON holds,
for each tensor under its Hugging Face name, the shape, the SHA-256 of its values as little-endian
bf16 and the first eight values, all computed by the package's own dequantisation.

Needs tools/goldens/requirements.txt. Run from the root of the repository:
    python tools/goldens/gguf_types.py crates/lm/tests/goldens
"""

import hashlib
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, INNER, TOKENS = 256, 2, 1, 32, 32, 32
THETA, FACTOR = 500000.0, 8.0

# Name in the file, name in the checkpoint, shape, type, heads whose rows are interleaved.
TENSORS = [
    ("token_embd.weight", "model.embed_tokens.weight", (TOKENS, HIDDEN), Type.Q6_K, 0),
    ("output_norm.weight", "model.norm.weight", (HIDDEN,), Type.F32, 0),
    ("output.weight", "lm_head.weight", (TOKENS, HIDDEN), Type.Q4_K, 0),
    ("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", (HIDDEN,), Type.F32, 0),
    ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", (64, HIDDEN), Type.Q4_K, HEADS),
    ("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", (32, HIDDEN), Type.Q5_K, KV_HEADS),
    ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", (32, HIDDEN), Type.Q8_0, 0),
    ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", (HIDDEN, 64), Type.Q4_0, 0),
    ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", (HIDDEN,), Type.F32, 0),
    ("blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", (INNER, HIDDEN), Type.Q4_1, 0),
    ("blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", (INNER, HIDDEN), Type.Q5_0, 0),
    ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", (HIDDEN, INNER), Type.Q5_1, 0),
    ("blk.1.attn_norm.weight", "model.layers.1.input_layernorm.weight", (HIDDEN,), Type.F32, 0),
    ("blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight", (64, HIDDEN), Type.F16, HEADS),
    ("blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight", (32, HIDDEN), Type.BF16, KV_HEADS),
    ("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight", (32, HIDDEN), Type.BF16, 0),
    ("blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight", (HIDDEN, 64), Type.Q8_0, 0),
    ("blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight", (HIDDEN,), Type.F32, 0),
    ("blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight", (INNER, HIDDEN), Type.Q5_K, 0),
    ("blk.1.ffn_up.weight", "model.layers.1.mlp.up_proj.weight", (INNER, HIDDEN), Type.Q6_K, 0),
    ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight", (HIDDEN, INNER), Type.BF16, 0),
]

# Where each block type keeps half-precision numbers, in bytes from its start.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip


def stored(random, shape, kind):
    """Random values of `shape` as the file stores them, uint8 or float."""
    values = random.standard_normal(shape).astype(np.float32)
    if kind == Type.F32:
        return values
    if kind == Type.F16:
        return values.astype(np.float16)
    if kind == Type.BF16:
        return gguf.quants.quantize(values, kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    rows = random.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    for at in HALVES[kind]:
        halves = random.uniform(-0.05, 0.05, rows.shape[:2] + (1,)).astype(np.float16)
        rows[..., at : at + 2] = halves.view(np.uint8)
    return rows.reshape(shape[0], -1)


def checkpoint_values(data, kind, shape, heads):
    """What the file's tensor is in the checkpoint, as bf16 bytes and singles."""
    values = gguf.quants.dequantize(data, kind).reshape(shape).astype(np.float32)
    if heads:
        # The converter's permutation, undone.
        pairs = values.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
        values = pairs.swapaxes(1, 2).reshape(shape)
    brain = gguf.quants.quantize(np.ascontiguousarray(values), Type.BF16)
    return brain.tobytes(), gguf.quants.dequantize(brain, Type.BF16).ravel()


def rope_factors():
    """As llama.cpp's converter computes them for Llama 3.1."""
    frequencies = 1.0 / THETA ** (np.arange(0, HEAD_DIM, 2, dtype=np.float32) / HEAD_DIM)
    low, high, context = 1.0, 4.0, 8192
    factors = []
    for frequency in frequencies:
        wavelength = 2 * np.pi / frequency
        if wavelength < context / high:
            factors.append(1)
        elif wavelength > context / low:
            factors.append(FACTOR)
        else:
            smooth = (context / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / FACTOR + smooth))
    return np.array(factors, dtype=np.float32)


def metadata(writer):
    writer.add_custom_alignment(64)
    writer.add_name("types")
    writer.add_block_count(2)
    writer.add_context_length(131072)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(THETA)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    letters = [chr(ord("a") + index) for index in range(26)]
    special = ["<|begin_of_text|>", "<|end_of_text|>"]
    writer.add_token_list(letters + ["Ġ", ".", "th", "the"] + special)
    writer.add_token_types([1] * (TOKENS - 2) + [3, 3])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(TOKENS - 2)
    writer.add_eos_token_id(TOKENS - 1)


def main():
    folder = Path(sys.argv[1])
    random = np.random.default_rng(20240607)
    writer = gguf.GGUFWriter(folder / "gguf-types.gguf", "llama")
    metadata(writer)
    writer.add_tensor("rope_freqs.weight", rope_factors())
    expected = {}
    for name, hugging_face, shape, kind, heads in TENSORS:
        data = stored(random, shape, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        brain, values = checkpoint_values(data, kind, shape, heads)
        expected[hugging_face] = {
            "type": kind.name,
            "shape": shape,
            "sha256": hashlib.sha256(brain).hexdigest(),
            "first": [float(value) for value in values[:8]],
        }
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (folder / "gguf-types.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
