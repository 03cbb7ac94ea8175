"""Trains the model in the box: a small Llama on public-domain English novels.

    python train.py --novels FOLDER --out FOLDER [--steps 1700]
    python train.py --novels FOLDER --out FOLDER --start FOLDER --rate 0.002 --seed 1 [--steps 1200]

Writes a Hugging Face folder (config.json, model.safetensors in bf16, tokenizer.json,
tokenizer_config.json, generation_config.json) and, beside it, curve.csv: step, tokens, training loss,
held-out loss. With --start it goes on from the weights of such a folder, with a fresh optimiser.
README.md here is the recipe in words and the model card.

Every window of half of each batch starts with the beginning-of-text token at the start of a paragraph,
the other half anywhere in a novel: the model can write from nothing, and can be scored on cut windows.
The optimiser is AdamW with the settings of Llama. Muon was tried first and reaches a lower loss, but
leaves weights without outliers, in which no method of pruning finds anything that another does not.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional as F

BOS = "<|begin|>"
# Six novels, of authors whose other novels are among the training texts.
HELD_OUT = [
    "Cbronte_Villette_1853",
    "Dickens_Expectations_1861",
    "Eliot_Adam_1859",
    "Hardy_Tess_1891",
    "Kipling_Kim_1901",
    "Woolf_Lighthouse_1927",
]
SHAPE = {
    "vocab_size": 1536,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
}


def read(folder):
    """Training and held-out texts, by title, line ends and byte-order marks made plain."""
    texts = {}
    for path in sorted(pathlib.Path(folder).glob("*.txt")):
        text = path.read_text(encoding="utf-8-sig", errors="strict")
        texts[path.stem] = text.replace("\r\n", "\n")
    missing = [title for title in HELD_OUT if title not in texts]
    if missing:
        raise SystemExit(f"{folder} lacks the held-out novels {missing}")
    held_out = [texts.pop(title) for title in HELD_OUT]
    return texts, held_out


def make_tokenizer(texts):
    """Byte-level BPE whose token 0 begins a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE["vocab_size"],
        special_tokens=[BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Windows:
    """Windows of one stream of tokens; `starts` are the first tokens of paragraphs."""

    def __init__(self, tokenizer, texts, length):
        ids, starts = [], []
        for text in texts:
            paragraphs = [part + "\n\n" for part in text.split("\n\n") if part.strip()]
            for encoding in tokenizer.encode_batch(paragraphs):
                starts.append(len(ids))
                ids.extend(encoding.ids)
        self.ids = torch.tensor(numpy.array(ids, dtype=numpy.int16))
        self.length = length
        self.starts = torch.tensor([s for s in starts if s + length + 1 < len(ids)])

    def draw(self, count, random):
        """[count, length + 1] token ids."""
        half = count // 2
        begin = self.starts[torch.randint(len(self.starts), (half,), generator=random)]
        anywhere = torch.randint(
            len(self.ids) - self.length - 1, (count - half,), generator=random
        )
        rows = []
        for start in begin.tolist():
            rows.append(F.pad(self.ids[start : start + self.length], (1, 0), value=0))
        for start in anywhere.tolist():
            rows.append(self.ids[start : start + self.length + 1])
        return torch.stack(rows).long()


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        h, d = s["hidden_size"], s["head_dim"]
        self.heads, self.kv, self.d = s["num_attention_heads"], s["num_key_value_heads"], d
        self.eps = s["rms_norm_eps"]
        linear = lambda out, into: nn.Linear(into, out, bias=False)
        self.input_layernorm = nn.Parameter(torch.ones(h))
        self.post_attention_layernorm = nn.Parameter(torch.ones(h))
        self.q_proj, self.o_proj = linear(self.heads * d, h), linear(h, self.heads * d)
        self.k_proj, self.v_proj = linear(self.kv * d, h), linear(self.kv * d, h)
        self.gate_proj = linear(s["intermediate_size"], h)
        self.up_proj = linear(s["intermediate_size"], h)
        self.down_proj = linear(h, s["intermediate_size"])

    def forward(self, x, cos, sin):
        n, t, h = x.shape
        y = F.rms_norm(x, (h,), self.input_layernorm, self.eps)
        q = rotate(self.q_proj(y).view(n, t, self.heads, self.d).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(y).view(n, t, self.kv, self.d).transpose(1, 2), cos, sin)
        v = self.v_proj(y).view(n, t, self.kv, self.d).transpose(1, 2)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o_proj(a.transpose(1, 2).reshape(n, t, -1))
        y = F.rms_norm(x, (h,), self.post_attention_layernorm, self.eps)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Llama(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.embed = nn.Embedding(s["vocab_size"], s["hidden_size"])
        self.blocks = nn.ModuleList(Block(s) for _ in range(s["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(s["hidden_size"]))
        self.eps = s["rms_norm_eps"]
        half = s["head_dim"] // 2
        frequency = s["rope_theta"] ** (-torch.arange(half) / half)
        angle = torch.arange(s["max_position_embeddings"])[:, None] * frequency
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())
        nn.init.normal_(self.embed.weight, std=0.02)
        for name, weight in self.blocks.named_parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
                if "o_proj" in name or "down_proj" in name:
                    weight.data.mul_((2 * len(self.blocks)) ** -0.5)

    def forward(self, ids):
        """Mean loss of predicting ids[:, 1:] from ids[:, :-1], over the tokens."""
        x = self.embed(ids[:, :-1])
        t = x.shape[1]
        for block in self.blocks:
            x = block(x, self.cos[:t], self.sin[:t])
        x = F.rms_norm(x, (x.shape[-1],), self.norm, self.eps)
        logits = F.linear(x, self.embed.weight)
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def held_out_loss(model, windows, random_state=1, batches=8, count=32):
    random = torch.Generator().manual_seed(random_state)
    with torch.no_grad():
        losses = [model(windows.draw(count, random)).item() for _ in range(batches)]
    return sum(losses) / len(losses)


def named_tensors(model):
    """The weights by the names they have in a checkpoint."""
    tensors = {
        "model.embed_tokens.weight": model.embed.weight,
        "model.norm.weight": model.norm,
    }
    for i, block in enumerate(model.blocks):
        for name, weight in block.named_parameters():
            place = name.removesuffix(".weight")
            if place.endswith("_proj"):
                part = "mlp" if place[0] in "gud" else "self_attn"
                place = f"{part}.{place}"
            tensors[f"model.layers.{i}.{place}.weight"] = weight
    return tensors


def load(model, folder):
    """Takes the weights of a folder that `save` wrote."""
    saved = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, weight in named_tensors(model).items():
            weight.copy_(saved[name])


def save(model, tokenizer, out):
    """A Hugging Face folder in bf16, with what `transformers` asks for."""
    out.mkdir(parents=True, exist_ok=True)
    named = named_tensors(model).items()
    tensors = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in named}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        **SHAPE,
    }
    write_json(out / "config.json", config)
    write_json(out / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 0})
    write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": BOS,
            "clean_up_tokenization_spaces": False,
            "model_max_length": SHAPE["max_position_embeddings"],
        },
    )
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--novels", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--start", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--rate", type=float, default=0.005)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    random = torch.Generator().manual_seed(given.seed)

    texts, held_out = read(given.novels)
    tokenizer = make_tokenizer(texts.values())
    length = SHAPE["max_position_embeddings"]
    training = Windows(tokenizer, texts.values(), length)
    testing = Windows(tokenizer, held_out, length)
    model = Llama(SHAPE)
    if given.start:
        load(model, given.start)
    count = sum(weight.numel() for weight in model.parameters())
    characters = sum(map(len, held_out)) / len(testing.ids)
    print(f"{count:,} parameters; {len(training.ids):,} training tokens of {len(texts)} novels, "
          f"{len(testing.ids):,} held out; {characters:.2f} characters a token", flush=True)

    matrices = [w for w in model.blocks.parameters() if w.ndim == 2]
    others = [w for w in model.parameters() if not any(w is m for m in matrices)]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=given.rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    step_loss = torch.compile(model)
    start = time.perf_counter()
    given.out.mkdir(parents=True, exist_ok=True)
    with open(given.out / "curve.csv", "w") as curve:
        curve.write("step,tokens,training_loss,held_out_loss,minutes\n")
        for step in range(given.steps):
            # warm up over 100 steps, hold, fall linearly to 0 over the last 60 %
            rate = min(1.0, (step + 1) / 100, (given.steps - step) / (0.6 * given.steps))
            for group in optimizer.param_groups:
                group["lr"] = given.rate * rate
            loss = step_loss(training.draw(given.batch, random))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % 100 == 99 or step + 1 == given.steps:
                minutes = (time.perf_counter() - start) / 60
                tested = held_out_loss(step_loss, testing)
                tokens = (step + 1) * given.batch * length
                curve.write(f"{step + 1},{tokens},{loss.item():.4f},{tested:.4f},{minutes:.1f}\n")
                curve.flush()
                print(f"step {step + 1}: {tokens / 1e6:.1f} M tokens, training {loss.item():.4f}, "
                      f"held out {tested:.4f}, {minutes:.1f} min", flush=True)
                save(model, tokenizer, given.out)


if __name__ == "__main__":
    main()
