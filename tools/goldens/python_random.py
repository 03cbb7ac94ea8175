"""Makes python_random.json: numbers of Python's `random`, and the draws of the published C4 loader.

The loader is `get_c4` of the released pruning code (SparseGPT, Wanda): a document is drawn again
until it has more tokens than the window, then cropped at random. Here documents are given by their
numbers of tokens alone.

Needs nothing beside Python. Run from the root of the repository:
    python3 tools/goldens/python_random.py crates/calib/tests/goldens
"""

import json
import random
import sys
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


def main():
    golden = {
        "random": [numbers(s) for s in (0, 1, 42, 2**31 - 1, 2**32 + 5, 2**64 - 1)],
        "lengths": LENGTHS,
        "loader": [loader(0, 12, 256), loader(3, 8, 390), loader(42, 6, 64)],
    }
    path = Path(sys.argv[1]) / "python_random.json"
    path.write_text(json.dumps(golden) + "\n")


main()
