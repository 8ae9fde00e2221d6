"""ReLU, max-pooling and local response normalisation in one pass over memory."""

import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast._arguments import check_floating, check_number, describe, refuse_forward_mode
from lrcn_fast.backends import OpSpec, choose
from lrcn_fast.reference.relu_max_pool_lrn import BLOCKED, Options

__all__ = ["relu_max_pool_lrn"]


def relu_max_pool_lrn(
    x: Tensor,
    *,
    relu: bool = True,
    kernel_size: int | tuple[int, int] | None = 3,
    stride: int | tuple[int, int] = 2,
    ceil_mode: bool = True,
    lrn_size: int | None = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    order: str = "pool_lrn",
    backend: str | None = None,
) -> Tensor:
    """ReLU, max-pooling, then normalisation across channels (Caffe's ReLU, Pooling, LRN layers).

    The same as torch's relu, max_pool2d and local_response_norm one after the other, also in what
    NaN and infinities become. N frames, C channels, Y rows, X columns; the defaults are CaffeNet's.

    Args:
        x: (N, C, Y, X), floating, in either memory format; only N may be zero.
        relu: whether negative values become zero first.
        kernel_size: of the pooling window, or its rows and columns: at most 255 places. None
            switches the pooling off, and ``stride`` and ``ceil_mode`` mean nothing.
        stride: from window to window, or down and across; below 2**31.
        ceil_mode: a last window that only begins inside counts too, as in Caffe.
        lrn_size: channels of a normalisation window, odd; it may exceed C. None switches the
            normalisation off.
        alpha: x / (k + alpha / lrn_size * sum of squares) ** beta.
        beta: as above.
        k: as above.
        order: ``"pool_lrn"`` (CaffeNet) or ``"lrn_pool"`` (AlexNet).
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Returns:
        (N, C, Yp, Xp) in the dtype and memory format of ``x``, also under autocast.

    Raises:
        ValueError: a shape or an option is wrong.
        TypeError: ``x`` is no floating tensor, a size no integer, or a factor no number.
        RuntimeError: the backend asked for cannot run the call.
    """
    check_floating("x", x)
    if x.dim() != 4 or 0 in x.shape[1:]:
        raise ValueError(f"x: expected (N, C, Y, X) with C, Y, X >= 1, got {describe(x)}")
    if order not in ("pool_lrn", "lrn_pool"):
        raise ValueError(f"order: expected 'pool_lrn' or 'lrn_pool', got {order!r}")
    if lrn_size is not None and not isinstance(lrn_size, int):
        raise TypeError(f"lrn_size: expected an integer or None, got {describe(lrn_size)}")
    if lrn_size is not None and (lrn_size < 1 or lrn_size % 2 == 0):
        raise ValueError(f"lrn_size: expected an odd number from 1 on, or None, got {lrn_size}")
    kernel, step = (1, 1), (1, 1)
    if kernel_size is not None:
        kernel, step = _pair("kernel_size", kernel_size), _pair("stride", stride)
        if kernel[0] * kernel[1] > BLOCKED:
            raise ValueError(
                f"kernel_size: expected at most {BLOCKED} places in a window, got {kernel_size}"
            )
    lrn_first = order == "lrn_pool"
    stages = (bool(relu), *kernel, *step, bool(ceil_mode))
    named = (("alpha", alpha), ("beta", beta), ("k", k))
    alpha, beta, k = (check_number(*each) for each in named)
    options = Options(*stages, lrn_size or 0, alpha, beta, k, lrn_first)
    if min(options.pooled_size(x.shape[2], x.shape[3])) < 1:
        raise ValueError(
            f"kernel_size: expected a window no larger than x, got {kernel_size} for {describe(x)}"
        )
    refuse_forward_mode((x,), "lrcn_fast.reference.relu_max_pool_lrn")
    chosen = choose(OpSpec(x.device.type, x.dtype, "relu_max_pool_lrn"), backend)
    save = torch.is_grad_enabled() and x.requires_grad
    output: Tensor = _OPERATORS[chosen.suffix](x, *options, save)[0]
    return output


_OPERATORS = {
    suffix: getattr(torch.ops.lrcn_fast, f"relu_max_pool_lrn_forward{suffix}").default
    for suffix in ("", "_triton", "_reference")
}


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, tuple | list) or not all(isinstance(n, int) for n in pair):
        raise TypeError(f"{name}: expected an integer or a pair of them, got {describe(value)}")
    if len(pair) != 2 or min(pair) < 1 or max(pair) >= 2**31:
        raise ValueError(
            f"{name}: expected a number from 1 to 2**31 - 1 or a pair of them, got {value!r}"
        )
    return pair[0], pair[1]
