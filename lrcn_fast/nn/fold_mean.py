"""``fold_mean``: the mean of the pixels as a part of the first convolution's bias."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrcn_fast._arguments import describe, numbers_of_channels

__all__ = ["fold_mean"]


@torch.no_grad()
def fold_mean(
    conv: nn.Conv2d,
    mean: Tensor | Sequence[float] | float,
    scale: Sequence[float] | float = 1.0,
    *,
    swap_rb: bool = False,
) -> nn.Conv2d:
    """Return a convolution that gives of pixels what ``conv`` gives of (pixels - mean) * scale.

    Both are the same sums, because every filter lies inside the image as a whole. The parameters
    are computed in float64 and rounded once; pixels as they are, 0..255, are exact in every dtype,
    float16 and bfloat16 too. The bias becomes as large as the mean times a filter's sum, and in
    half types its rounding with it: fold in float32, where the bias can stay so
    (:func:`lrcn_fast.functional.conv_frames`). ``conv`` stays as it is.

    Args:
        conv: a convolution of C channels without padding.
        mean: a number, C numbers, or a tensor (C,), of the channels that ``conv`` takes.
        scale: a number, or C numbers, such as 1/std.
        swap_rb: the pixels come with channels 0 and 2 exchanged.

    Returns:
        The convolution for pixels, with a bias. Its weights differ from those of ``conv`` only
        with ``scale`` or ``swap_rb``.

    Raises:
        TypeError: ``conv`` is no Conv2d.
        ValueError: its weight is computed from other parameters, which would undo the change; or it
            has padding, around which the mean would be missing, or not as many channels
            as there are numbers, or groups, in which no channels can be exchanged.
    """
    if not isinstance(conv, nn.Conv2d):
        raise TypeError(f"conv: expected a torch.nn.Conv2d, got {describe(conv)}")
    if not isinstance(conv.weight, nn.Parameter):
        raise ValueError(
            "conv: expected a weight that is a parameter itself, got one that is computed from "
            "others, as by a parametrization or pruning"
        )
    if conv.padding != "valid" and any(size != 0 for size in conv.padding):
        raise ValueError(
            "conv: expected a convolution without padding, because the zeros around the image are "
            f"no pixels and have no mean, got padding={conv.padding!r}"
        )
    if swap_rb and (conv.in_channels < 3 or conv.groups > 1):
        raise ValueError(
            "swap_rb: expected a convolution of at least 3 channels in one group, "
            f"got {conv.in_channels} channels in {conv.groups}"
        )
    numbers = mean.tolist() if isinstance(mean, Tensor) and mean.dim() == 1 else mean
    means, scales = (
        torch.tensor(
            numbers_of_channels(name, value, conv.in_channels),
            dtype=torch.float64,
            device=conv.weight.device,
        ).view(conv.groups, 1, -1, 1, 1)
        for name, value in (("mean", numbers), ("scale", scale))
    )
    folded = copy.deepcopy(conv)
    grouped = folded.weight.unflatten(0, (conv.groups, -1))
    grouped.copy_(grouped.double() * scales)
    # Of the rounded weights, so that their rounding acts on what is left of a pixel without mean.
    bias = -(grouped.double() * means).sum((2, 3, 4)).flatten()
    if conv.bias is not None:
        bias += conv.bias.double()
    trains = conv.weight.requires_grad if conv.bias is None else conv.bias.requires_grad
    folded.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=trains)
    if swap_rb:
        folded.weight.copy_(folded.weight[:, [2, 1, 0, *range(3, conv.in_channels)]])
    return folded
