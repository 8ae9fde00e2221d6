"""Definition of ``conv_frames``: the first layer of CaffeNet and of the hybrid net on pixels."""

from torch import Tensor
from torch.nn import functional

from lrcn_fast.reference.frames_to_input import frames_to_input
from lrcn_fast.reference.lstm_cell import compute_dtype
from lrcn_fast.reference.relu_max_pool_lrn import Options, relu_max_pool_lrn


def conv_frames(
    frames: Tensor,
    offsets: Tensor | None,
    mirror: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    stride: int,
    height: int,
    width: int,
    alpha: float,
    beta: float,
    k: float,
) -> Tensor:
    """Convolution, bias, ReLU, max-pooling (3, stride 2) and response normalisation (5).

    Args:
        frames: (N, Y, X, C) uint8; with ``offsets``, ``mirror``, ``height`` and ``width`` as
            ``frames_to_input`` takes them.
        weight: (O, C, K, K). Half types are computed in float32.
        bias: (O,), in the dtype that is computed in.
        stride: of the convolution, which has no padding.
        alpha, beta, k: of the normalisation.

    Returns:
        (N, O, Yp, Xp), channels_last, in the dtype of ``weight``.
    """
    compute = compute_dtype(weight.dtype)
    numbers = [0.0] * weight.shape[1], [1.0] * weight.shape[1]
    images = frames_to_input(
        frames, offsets, mirror, None, *numbers, height, width, False, -1, True, compute
    )
    convolved = functional.conv2d(images, weight.to(compute), bias, stride).to(weight.dtype)
    options = Options(True, 3, 3, 2, 2, True, 5, alpha, beta, k, lrn_first=False)
    return relu_max_pool_lrn(convolved, *options)
