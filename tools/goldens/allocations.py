"""Outliers, exponents and sparsities of OWL and AlphaPruning by their formulas, in plain NumPy.

    python tools/goldens/allocations.py crates/prune/tests/goldens/allocations.safetensors

Four blocks of one linear each, of different shapes; everything is f64 but the weights and norms,
which are rounded to f32 first.
"""

import sys

import numpy as np
from safetensors.numpy import save_file

SHAPES = [(20, 30), (30, 20), (24, 24), (40, 25)]
TARGETS = [0.3, 0.5, 0.7]  # no share meets a bound
OUTLIER, LAMBDA, EPSILON = 5, 0.08, 0.3


def owl(scores):
    """Yin et al. 2024: the share of scores above five times their mean."""
    return np.array([(score > OUTLIER * score.mean()).mean() for score in scores])


def owl_shares(outliers, sizes, target):
    place = (outliers - outliers.min()) / (outliers.max() - outliers.min()) * 2 * LAMBDA
    return target - (place - np.average(place, weights=sizes))


def hill(weight):
    """Lu et al. 2024: the exponent of the larger half of the squared singular values."""
    values = np.sort(np.linalg.svd(weight, compute_uv=False) ** 2)
    tail = values[len(values) // 2 :]
    return 1 + len(tail) / np.log(tail / tail[0]).sum()


def alpha_shares(exponents, sizes, target):
    place = (exponents - exponents.min()) / (exponents.max() - exponents.min())
    factor = 1 - EPSILON + place * 2 * EPSILON
    return factor * target / np.average(factor, weights=sizes)


def main(path):
    rng = np.random.default_rng(3)
    tensors = {}
    weights, norms = [], []
    for block, (rows, cols) in enumerate(SHAPES):
        weight = rng.standard_t(2.5 + block, (rows, cols)).astype(np.float32)
        norm = rng.uniform(0.5, 2, cols).astype(np.float32)
        tensors[f"{block}.weight"], tensors[f"{block}.norms"] = weight, norm
        weights.append(weight.astype(np.float64))
        norms.append(norm.astype(np.float64))
    sizes = np.array([weight.size for weight in weights], np.float64)
    tensors["owl"] = owl([np.abs(w) * n for w, n in zip(weights, norms)])
    tensors["alpha"] = np.array([hill(weight) for weight in weights])
    for target in TARGETS:
        shares = owl_shares(tensors["owl"], sizes, target), alpha_shares(tensors["alpha"], sizes, target)
        assert all((0 <= share).all() and (share <= 0.95).all() for share in shares), shares
        tensors[f"owl.{target}"], tensors[f"alpha.{target}"] = shares
        print(target, *shares)
    save_file(tensors, path)


main(sys.argv[1])
