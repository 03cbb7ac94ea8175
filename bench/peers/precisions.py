"""The precisions that the peers run in, by the names the benchmarks give them."""

import torch

DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}
