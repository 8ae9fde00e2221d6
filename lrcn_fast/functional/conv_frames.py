"""``conv_frames``: pixels to the output of an LRCN's first layer."""

import torch
from torch import Tensor
from torch.nn import functional as torch_functional

from lrcn_fast._arguments import check_floating, describe
from lrcn_fast.backends import OpSpec, choose
from lrcn_fast.functional._windows import (
    check_mirror,
    check_offsets,
    check_size,
    with_channels_last,
)
from lrcn_fast.functional.frames_to_input import frames_to_input
from lrcn_fast.functional.relu_max_pool_lrn import relu_max_pool_lrn

__all__ = ["conv_frames"]


def conv_frames(
    frames: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    stride: int,
    size: tuple[int, int] | None = None,
    offsets: Tensor | None = None,
    mirror: Tensor | None = None,
    channel_dim: int | None = None,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    experimental: bool = False,
) -> Tensor:
    """Compute the first layer of CaffeNet or the hybrid net on pixels as they are.

    Convolution without padding, bias, ReLU, max-pooling (3, stride 2, the last windows may hang
    over the edge), response normalisation over 5 channels. :func:`lrcn_fast.nn.fold_mean` puts
    mean, scale and order of the channels into ``weight`` and ``bias``.

    Args:
        frames: (N, Y, X, C) or (N, C, Y, X), uint8; with ``size``, ``offsets``, ``mirror`` and
            ``channel_dim`` as :func:`frames_to_input` takes them.
        weight: (O, C, K, K), floating.
        bias: (O,), in the dtype of ``weight`` or in float32.
        stride: of the convolution.
        alpha, beta, k: of the normalisation.
        experimental: run all of it as one CUDA kernel, which reads the pixels and writes nothing
            but the result: float16 or bfloat16, C = 3, O = 96, K and stride 11 and 4 or 7 and 2, no
            gradient. It has not run on a GPU yet. Otherwise it is :func:`frames_to_input`, torch's
            convolution and :func:`relu_max_pool_lrn`, which have gradients at weight and bias.

    Returns:
        (N, O, Yp, Xp), channels_last, in the dtype of ``weight``.

    Raises:
        ValueError: a shape, device or value is wrong.
        TypeError: a dtype is wrong.
        RuntimeError: the experimental kernel cannot run the call.
    """
    check_floating("weight", weight)
    check_floating("bias", bias)
    if not experimental:
        images = frames_to_input(
            frames,
            size=size,
            offsets=offsets,
            mirror=mirror,
            channel_dim=channel_dim,
            dtype=weight.dtype,
        )
        filters = weight.contiguous(memory_format=torch.channels_last)
        convolved = torch_functional.conv2d(images, filters, bias.to(weight.dtype), stride)
        return relu_max_pool_lrn(convolved, alpha=alpha, beta=beta, k=k)
    if torch.is_grad_enabled() and (weight.requires_grad or bias.requires_grad):
        raise ValueError(
            "experimental: expected a weight and a bias that need no gradient, or torch.no_grad(), "
            f"got {describe(weight)} and {describe(bias)}"
        )
    pixels = with_channels_last(frames, channel_dim)
    height, width = check_size(size, pixels.shape[1], pixels.shape[2])
    if offsets is not None:
        offsets = check_offsets(offsets, pixels, height, width)
    if mirror is not None:
        mirror = check_mirror(mirror, pixels)
    choose(OpSpec(pixels.device.type, weight.dtype, "conv_frames"), "native")
    result: Tensor = torch.ops.lrcn_fast.conv_frames(
        pixels, offsets, mirror, weight, bias.float(), stride, height, width, alpha, beta, k
    )
    return result
