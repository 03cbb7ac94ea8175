"""Divides texts into those to draw calibration data from and those to judge on.

    python3 split.py TEXTS MODEL OUT

TEXTS holds c4.jsonl, wikipedia.txt (an article a line), tinystories.txt (blank lines between), novels/,
alpaca.jsonl and gsm8k.jsonl. Every fourth document is held out, duplicates are left out, so no document
is on both sides. OUT/draw/NAME.txt and OUT/held-out/NAME.txt are written, documents joined by blank
lines, so that every source is one stream and packed alike; OUT/model.gguf leads to MODEL.
"""

import json
import sys
from pathlib import Path

HELD_OUT = 4  # every fourth document
NOVEL = 60_000  # characters of each novel
MOST = 40_000  # characters of a held-out text, about nine windows of 1024 tokens


def records(path, *fields):
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        yield "\n".join(record[field] for field in fields if record.get(field))


def documents(texts):
    yield "c4", records(texts / "c4.jsonl", "text")
    yield "wikipedia", (texts / "wikipedia.txt").read_text("utf-8").splitlines()
    yield "stories", (texts / "tinystories.txt").read_text("utf-8").split("\n\n")
    novels = sorted((texts / "novels").glob("*.txt"))
    yield "novels", (novel.read_text("utf-8", "replace")[:NOVEL] for novel in novels)
    yield "alpaca", records(texts / "alpaca.jsonl", "instruction", "input", "output")
    yield "gsm8k", records(texts / "gsm8k.jsonl", "question", "answer")


def main():
    texts, model, out = (Path(argument) for argument in sys.argv[1:])
    for side in ("draw", "held-out"):
        (out / side).mkdir(parents=True, exist_ok=True)
    for name, found in documents(texts):
        kept = list(dict.fromkeys(text.strip() for text in found if text.strip()))
        held = kept[HELD_OUT - 1 :: HELD_OUT]
        draw = [text for place, text in enumerate(kept) if place % HELD_OUT != HELD_OUT - 1]
        if name == "novels":  # a little of each
            held = [text[: MOST // len(held)] for text in held]
        (out / "draw" / f"{name}.txt").write_text("\n\n".join(draw), "utf-8")
        (out / "held-out" / f"{name}.txt").write_text("\n\n".join(held)[:MOST], "utf-8")
        print(f"{name}: {len(draw)} documents to draw from, {len(held)} held out")
    link = out / "model.gguf"
    link.unlink(missing_ok=True)
    link.symlink_to(model.resolve())


if __name__ == "__main__":
    main()
