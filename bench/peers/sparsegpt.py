"""SparseGPT as published (Frantar and Alistarh 2023), in PyTorch.

The Hessian 2 X'X / samples of every linear is collected in f32, damped by 0.01 of its mean diagonal,
inverted and factorised (cholesky, cholesky_inverse, cholesky); columns are pruned in blocks of 128,
the mask of a block chosen over all its rows. The driver is `published.py`.

TOKENS is a calibration set of equally long sequences that `secateur calibrate` wrote; the time does
not include making it. Writes the pruned model to OUT. Prints one JSON line.
"""

import math

import torch

import published

BLOCK = 128
DAMPING = 0.01


class SparseGpt:
    """One linear, as the published class of that name measures and prunes it."""

    def __init__(self, linear):
        self.linear = linear
        self.hessian = torch.zeros(linear.in_features, linear.in_features)
        self.samples = 0

    def add(self, inputs):
        rows = inputs.reshape(-1, inputs.shape[-1]).t()
        self.hessian *= self.samples / (self.samples + 1)
        self.samples += 1
        rows = math.sqrt(2 / self.samples) * rows.float()
        self.hessian += rows.matmul(rows.t())

    def prune(self, sparsity):
        weight = self.linear.weight.data.clone().float()
        factor = self.factor(weight)
        for first in range(0, weight.shape[1], BLOCK):
            last = min(first + BLOCK, weight.shape[1])
            errors = prune_block(weight[:, first:last], factor[first:last, first:last], sparsity)
            weight[:, last:] -= errors.matmul(factor[first:last, last:])
        self.linear.weight.data = weight.to(self.linear.weight.dtype)

    def factor(self, weight):
        """The upper triangular factor of the damped Hessian's inverse."""
        hessian = self.hessian
        dead = torch.diag(hessian) == 0
        hessian[dead, dead] = 1
        weight[:, dead] = 0
        diagonal = torch.arange(len(hessian))
        hessian[diagonal, diagonal] += DAMPING * torch.mean(torch.diag(hessian))
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
        return torch.linalg.cholesky(inverse, upper=True)


def prune_block(weight, factor, sparsity):
    """Prunes the columns of a block in place; what the columns after it are to make up for."""
    scores = weight**2 / torch.diag(factor).reshape(1, -1) ** 2
    threshold = torch.sort(scores.flatten())[0][int(scores.numel() * sparsity)]
    mask = scores <= threshold
    errors = torch.zeros_like(weight)
    for column in range(weight.shape[1]):
        pruned = weight[:, column].clone()
        pruned[mask[:, column]] = 0
        error = (weight[:, column] - pruned) / factor[column, column]
        weight[:, column:] -= error.unsqueeze(1).matmul(factor[column, column:].unsqueeze(0))
        weight[:, column] = pruned
        errors[:, column] = error
    return errors


if __name__ == "__main__":
    published.main(__doc__, SparseGpt)
