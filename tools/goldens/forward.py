"""Reference results of the forward pass, of generation and of sampling, by `transformers`.

    python3 -m venv .venv && .venv/bin/pip install -r tools/goldens/requirements.txt
    .venv/bin/python tools/goldens/forward.py [--stories FOLDER]

Writes to crates/lm/tests/goldens/forward/: one folder per kind of llama, with a random checkpoint
(two blocks), the same configuration in the style of transformers 4, and reference.safetensors:

    tokens.N            token ids of sequence N
    f32.N, bf16.N       logits [tokens, vocabulary] of the model in that dtype
    greedy              sequence 0 continued by generate(do_sample=False, repetition_penalty=1.2)

and sampling.safetensors: logits, seen tokens, and the probabilities that the logits processors of
`generate` leave. With --stories (a folder with the stories260k checkpoint) also the logits of that
model for a fixed prompt. The script checks itself: logits spread by at least 1, and both styles of
configuration give the same logits.
"""

import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.generation import logits_process

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "crates/lm/tests/goldens/forward"
VOCABULARY = 64
LENGTHS = [23, 9]
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

# What each kind changes, and the dtype its weights are stored in.
KINDS = {
    "mha": (dict(num_key_value_heads=4), torch.float32),
    "gqa": (dict(rope_parameters={"rope_type": "default", "rope_theta": 500.0}), torch.bfloat16),
    "mqa-tied": (dict(num_key_value_heads=1, tie_word_embeddings=True), torch.float16),
    "rope-linear": (
        dict(rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
        torch.bfloat16,
    ),
    "rope-llama3": (dict(rope_parameters=LLAMA3, max_position_embeddings=512), torch.bfloat16),
    "bias": (dict(attention_bias=True, mlp_bias=True), torch.bfloat16),
    "head-dim": (dict(head_dim=12, rms_norm_eps=1e-3), torch.bfloat16),
}


def configuration(changes):
    fields = dict(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    return LlamaConfig(**{**fields, **changes})


def randomise(model):
    """Weights large enough that a wrong rotation or a swapped head shows in the logits."""
    for name, value in model.named_parameters():
        if name.endswith("bias"):
            value.data.normal_(0, 0.5)
        elif value.dim() == 1:
            value.data.uniform_(0.5, 1.5)
        elif "embed_tokens" in name:
            value.data.normal_(0, 1)
        else:
            gain = 2.5 if "q_proj" in name or "k_proj" in name else 1.5
            value.data.normal_(0, gain / value.shape[1] ** 0.5)


def older_style(config):
    """The configuration as transformers 4 wrote it."""
    config = json.loads(json.dumps(config))
    rules = config.pop("rope_parameters")
    config["rope_theta"] = rules.pop("rope_theta")
    kind = rules.pop("rope_type")
    # The oldest files say "type", later ones "rope_type".
    name = "type" if kind == "linear" else "rope_type"
    config["rope_scaling"] = None if kind == "default" else {name: kind, **rules}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.40.0"
    return config


def write_tokenizer(folder):
    words = {f"t{index}": index for index in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def sequences():
    return [torch.randint(3, VOCABULARY, (length,)) for length in LENGTHS]


@torch.inference_mode()
def logits(model, tokens):
    return model(tokens[None]).logits[0].float().contiguous()


def check_styles(folder, tokens, expected):
    """Both styles of configuration must mean the same model."""
    copy = folder.parent / ".older"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    shutil.copy(copy / "config-transformers-4.json", copy / "config.json")
    found = logits(AutoModelForCausalLM.from_pretrained(copy, dtype=torch.float32).eval(), tokens)
    shutil.rmtree(copy)
    assert torch.equal(found, expected), folder.name


def write_kind(name, changes, dtype):
    torch.manual_seed(sum(map(ord, name)))
    folder = OUT / name
    folder.mkdir(parents=True)
    model = LlamaForCausalLM(configuration(changes)).eval()
    randomise(model)
    model.to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    older = json.dumps(older_style(config), indent=1) + "\n"
    (folder / "config-transformers-4.json").write_text(older)
    write_tokenizer(folder)
    tensors = {}
    for index, tokens in enumerate(sequences()):
        tensors[f"tokens.{index}"] = tokens.int()
        for label, precision in [("f32", torch.float32), ("bf16", torch.bfloat16)]:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=precision).eval()
            tensors[f"{label}.{index}"] = logits(model, tokens)
        spread = tensors[f"f32.{index}"].std(dim=-1).min()
        assert spread >= 1, (name, spread)
    check_styles(folder, tensors["tokens.0"].long(), tensors["f32.0"])
    tensors["greedy"] = greedy(folder, tensors["tokens.0"].long())
    save_file(tensors, folder / "reference.safetensors")
    difference = (tensors["f32.0"] - tensors["bf16.0"]).abs().max() / tensors["f32.0"].abs().max()
    print(f"{name}: spread {spread:.2f}, bf16 differs from f32 by {difference:.4f}")


@torch.inference_mode()
def greedy(folder, tokens):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    options = dict(do_sample=False, repetition_penalty=1.2, max_new_tokens=32, eos_token_id=None)
    return model.generate(tokens[None], pad_token_id=0, **options)[0].int()


def write_sampling():
    """Probabilities after penalty, temperature, top-k and top-p, in the order of `generate`."""
    torch.manual_seed(5)
    cases = [(0.6, 50, 0.95, 1.2), (1.0, 5, 1.0, 1.0), (1.3, 0, 0.7, 1.0), (0.8, 20, 0.5, 0.9)]
    scores = torch.randn(len(cases), 200) * 3
    seen = torch.randint(0, 200, (len(cases), 40))
    rows = []
    for row, (temperature, top_k, top_p, penalty) in enumerate(cases):
        steps = [
            logits_process.RepetitionPenaltyLogitsProcessor(penalty),
            logits_process.TemperatureLogitsWarper(temperature),
        ]
        if top_k > 0:
            steps.append(logits_process.TopKLogitsWarper(top_k))
        if top_p < 1:
            steps.append(logits_process.TopPLogitsWarper(top_p))
        value = scores[row : row + 1].clone()
        for step in steps:
            value = step(seen[row : row + 1], value)
        rows.append(value.softmax(-1)[0])
    tensors = {"logits": scores, "seen": seen.int(), "probabilities": torch.stack(rows)}
    tensors["parameters"] = torch.tensor(cases)
    save_file(tensors, OUT / "sampling.safetensors")


def write_stories(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = torch.tensor([1] + [(7 * index * index + 3 * index) % 509 + 3 for index in range(11)])
    (OUT / "stories260k").mkdir()
    tensors = {"tokens.0": tokens.int(), "f32.0": logits(model, tokens)}
    tensors["greedy"] = greedy(folder, torch.tensor([1]))
    save_file(tensors, OUT / "stories260k/reference.safetensors")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--stories", type=pathlib.Path, help="folder of stories260k")
    options = arguments.parse_args()
    stories = OUT / "stories260k"
    kept = (stories / "reference.safetensors").read_bytes() if stories.exists() else None
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for name, (changes, dtype) in KINDS.items():
        write_kind(name, changes, dtype)
    write_sampling()
    if options.stories:
        write_stories(options.stories)
    elif kept:
        stories.mkdir()
        (stories / "reference.safetensors").write_bytes(kept)


if __name__ == "__main__":
    main()
