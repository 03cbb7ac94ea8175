"""Wanda as published (Sun et al. 2023), in PyTorch.

`scaler_row`, the mean over sequences of the squared norm of each input, is collected in f32; every
row of a linear loses its smallest |W| * sqrt(scaler_row). The driver is `published.py`.

TOKENS is a calibration set of equally long sequences that `secateur calibrate` wrote; the time does
not include making it. Writes the pruned model to OUT. Prints one JSON line.
"""

import torch

import published


class Wanda:
    """One linear, as the published WrappedGPT measures it."""

    def __init__(self, linear):
        self.linear = linear
        self.scaler_row = torch.zeros(linear.in_features)
        self.samples = 0

    def add(self, inputs):
        rows = inputs.reshape(-1, inputs.shape[-1]).t()
        self.scaler_row *= self.samples / (self.samples + 1)
        self.samples += 1
        self.scaler_row += torch.norm(rows.float(), p=2, dim=1) ** 2 / self.samples

    def prune(self, sparsity):
        weight = self.linear.weight.data
        metric = weight.abs() * torch.sqrt(self.scaler_row.reshape(1, -1))
        order = torch.sort(metric, dim=-1, stable=True)[1]
        mask = torch.zeros_like(metric, dtype=torch.bool)
        mask.scatter_(1, order[:, : int(metric.shape[1] * sparsity)], True)
        weight[mask] = 0


if __name__ == "__main__":
    published.main(__doc__, Wanda)
