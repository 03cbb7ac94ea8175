"""Makes gguf-sentencepiece.json: a tiny SentencePiece vocabulary and what it makes of texts.

The model is trained by the `sentencepiece` package with the settings of Llama 2's tokenizer; the
ids are those of the package itself, so that a tokenizer rebuilt from pieces and scores can be
compared with the one it stands for.

Needs tools/goldens/requirements.txt. Run from the root of the repository:
    python tools/goldens/gguf_sentencepiece.py crates/lm/tests/goldens
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece

# Lewis Carroll, Alice's Adventures in Wonderland (1865), chapter 1.
TRAINING = """
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing
to do: once or twice she had peeped into the book her sister was reading, but it had no pictures or
conversations in it, and what is the use of a book, thought Alice, without pictures or
conversations? So she was considering in her own mind (as well as she could, for the hot day made
her feel very sleepy and stupid), whether the pleasure of making a daisy-chain would be worth the
trouble of getting up and picking the daisies, when suddenly a White Rabbit with pink eyes ran
close by her. There was nothing so very remarkable in that; nor did Alice think it so very much out
of the way to hear the Rabbit say to itself, Oh dear! Oh dear! I shall be too late! (when she
thought it over afterwards, it occurred to her that she ought to have wondered at this, but at the
time it all seemed quite natural); but when the Rabbit actually took a watch out of its
waistcoat-pocket, and looked at it, and then hurried on, Alice started to her feet, for it flashed
across her mind that she had never before seen a rabbit with either a waistcoat-pocket, or a watch
to take out of it, and burning with curiosity, she ran across the field after it, and fortunately
was just in time to see it pop down a large rabbit-hole under the hedge.
"""

TEXTS = [
    "",
    "Alice",
    " Alice",
    "the rabbit-hole",
    "Alice was beginning to get very tired of sitting by her sister on the bank.",
    "  two  spaces   and\ttabs \n\nand lines ",
    "In 1865, 3.14 and 2718281828",
    "naïve café 日本語 😀",
    "waistcoat-pockets remarkable conversations considering",
    "ÿ\u2581under",
]


def main():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING.strip().split("\n")),
        model_writer=model,
        model_type="bpe",
        vocab_size=450,
        character_coverage=0.99995,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(processor.get_piece_size())
    kinds = [
        2 if processor.is_unknown(i) else 3 if processor.is_control(i) else 6 if processor.is_byte(i) else 1
        for i in ids
    ]
    result = {
        "tokens": [processor.id_to_piece(i) for i in ids],
        "scores": [processor.get_score(i) for i in ids],
        "types": kinds,
        "texts": [{"text": text, "ids": processor.encode(text)} for text in TEXTS],
    }
    path = Path(sys.argv[1]) / "gguf-sentencepiece.json"
    path.write_text(json.dumps(result, ensure_ascii=False) + "\n")


main()
