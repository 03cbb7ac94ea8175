"""Makes python_random.json and c4_loader.json: numbers of Python's `random`, and the draws of the
published C4 loader.

The loader is `get_c4` of the released pruning code (SparseGPT, Wanda): a document is drawn again
until it has more tokens than the window, then cropped at random. Here documents are given by their
numbers of tokens alone.

Needs nothing beside Python. Run from the root of the repository:
    python3 tools/goldens/python_random.py
"""

import json
import random
from pathlib import Path

LENGTHS = [(i * i * 37 + 11 * i) % 400 + 1 for i in range(300)]


def numbers(seed):
    random.seed(seed)
    words = [random.getrandbits(32) for _ in range(3)]
    bits = [random.getrandbits(k) for k in (1, 7, 31, 33, 64)]
    integers = [random.randint(0, n) for n in (0, 1, 9, 355, 356316, 2**31, 2**32, 2**40)]
    random.seed(seed)
    for _ in range(1000):
        random.getrandbits(32)
    return {
        "seed": seed,
        "words": words,
        "bits": bits,
        "integers": integers,
        "late": random.getrandbits(32),
    }


def sample(seed, count, chosen):
    random.seed(seed)
    draws = [random.sample(range(count), chosen) for _ in range(3)]
    return {"seed": seed, "count": count, "chosen": chosen, "draws": draws}


def loader(seed, samples, length):
    random.seed(seed)
    draws = []
    for _ in range(samples):
        while True:
            document = random.randint(0, len(LENGTHS) - 1)
            if LENGTHS[document] > length:
                break
        draws.append([document, random.randint(0, LENGTHS[document] - length - 1)])
    return {"seed": seed, "samples": samples, "length": length, "draws": draws}


def write(path, golden):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(golden) + "\n")


def main():
    seeds = (0, 1, 42, 2**31 - 1, 2**32 + 5, 2**64 - 1)
    samples = ((1234, 285, 5), (1234, 21, 5), (1234, 22, 5), (7, 40, 6), (7, 85, 6), (7, 86, 6), (3, 4, 4))
    write("crates/compute/tests/goldens/python_random.json", {
        "random": [numbers(seed) for seed in seeds],
        "samples": [sample(*case) for case in samples],
    })
    write("crates/calib/tests/goldens/c4_loader.json", {
        "lengths": LENGTHS,
        "loader": [loader(0, 12, 256), loader(3, 8, 390), loader(42, 6, 64)],
    })


main()
