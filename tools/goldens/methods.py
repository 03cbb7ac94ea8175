"""Masks of RIA and DSnoT by their formulas, in plain NumPy, for crates/prune/tests/goldens.

    python tools/goldens/methods.py crates/prune/tests/goldens/methods.safetensors

Everything is f64 but the weights and inputs, which are rounded to f32 first.
"""

import sys

import numpy as np
from safetensors.numpy import save_file

OUTPUTS, INPUTS, TOKENS = 24, 64, 160
CYCLES, THRESHOLD = 50, 0.1


def draw():
    """Weights with rows and columns of different sizes; inputs with means that are not zero."""
    rng = np.random.default_rng(7)
    weight = rng.standard_t(5, (OUTPUTS, INPUTS)) * rng.uniform(0.3, 2, (OUTPUTS, 1))
    weight *= rng.uniform(0.3, 2, INPUTS)
    x = rng.standard_normal((TOKENS, INPUTS)) * rng.uniform(0.2, 3, INPUTS) + rng.normal(0, 1, INPUTS)
    x[:, 11] = 0  # a dead input
    x[:, 12] = 1.5  # a constant one
    return weight.astype(np.float32), x.astype(np.float32)


def smallest(scores, count):
    """The `count` smallest, the lower index first among equals."""
    removed = np.zeros(scores.size, bool)
    removed[np.argsort(scores, kind="stable")[:count]] = True
    return removed


def mask(scores, pattern, scope):
    """True where a weight is removed."""
    rows, cols = scores.shape
    if ":" in pattern:
        keep, of = map(int, pattern.split(":"))
        groups = scores.reshape(-1, of)
        return np.stack([smallest(group, of - keep) for group in groups]).reshape(rows, cols)
    share = float(pattern)
    if scope == "layer":
        return smallest(scores.ravel(), int(scores.size * share)).reshape(rows, cols)
    return np.stack([smallest(row, int(cols * share)) for row in scores])


def ria(weight, x):
    """Zhang et al. 2024, equations 3 and 4."""
    size = np.abs(weight)
    share = size / size.sum(0, keepdims=True) + size / size.sum(1, keepdims=True)
    return share * np.sqrt(np.sqrt((x**2).sum(0)))


def dsnot_row(row, removed, mean, variance, norm, width):
    """Zhang et al. 2024, equations 4 to 6: pairs of a weight to grow and one to prune."""
    removed = removed.copy()
    error = float((row * mean)[removed].sum())
    sign = 1.0 if error >= 0 else -1.0
    value = sign * row * mean
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(value == 0, 0, value / variance)
    grow = [j for j in np.argsort(-gain, kind="stable") if removed[j]]
    lowers = [j for j in np.argsort(np.abs(row) * norm, kind="stable") if not removed[j] and value[j] < 0]
    for j in grow[:CYCLES]:
        partners = [i for i in lowers if i // width == j // width]
        if not partners:
            continue
        after = error + row[partners[0]] * mean[partners[0]] - row[j] * mean[j]
        if abs(error) <= THRESHOLD or after * sign < 0 or gain[j] <= 0:
            break
        lowers.remove(partners[0])
        removed[j], removed[partners[0]] = False, True
        error = after
    return removed


def dsnot(weight, x, start, pattern):
    mean = x.mean(0)
    variance = np.maximum((x**2).mean(0) - mean**2, 0)
    norm = np.sqrt((x**2).sum(0))
    width = int(pattern.split(":")[1]) if ":" in pattern else weight.shape[1]
    rows = zip(weight, start)
    return np.stack([dsnot_row(row, removed, mean, variance, norm, width) for row, removed in rows])


def main(path):
    weight, inputs = draw()
    w, x = weight.astype(np.float64), inputs.astype(np.float64)
    tensors = {"weight": weight, "inputs": inputs}
    wanda = np.abs(w) * np.sqrt((x**2).sum(0))
    for pattern in ["0.5", "0.7", "2:4", "4:8"]:
        for scope in ["row", "layer"]:
            name = f"{pattern}.{scope}"
            tensors[f"ria.{name}"] = mask(ria(w, x), pattern, scope).astype(np.uint8)
            start = mask(wanda, pattern, scope)
            refined = dsnot(w, x, start, pattern)
            tensors[f"dsnot.{name}"] = refined.astype(np.uint8)
            print(name, "dsnot exchanges", int((start & ~refined).sum()))
    save_file(tensors, path)


main(sys.argv[1])
