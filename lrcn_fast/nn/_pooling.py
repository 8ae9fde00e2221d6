"""relu, max-pooling and response normalisation as a composition of torch's operations."""

import torch
from torch import Tensor
from torch.nn import functional as F


def relu_max_pool_lrn(
    x: Tensor,
    *,
    relu: bool = True,
    kernel_size: int | None = 3,
    stride: int = 2,
    ceil_mode: bool = True,
    lrn_size: int | None = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Tensor:
    x = F.relu(x) if relu else x
    if kernel_size is not None:
        x = F.max_pool2d(x, kernel_size, stride, ceil_mode=ceil_mode)
    if lrn_size is not None:
        x = F.local_response_norm(x, lrn_size, alpha, beta, k)
    return x.contiguous(memory_format=torch.channels_last)
