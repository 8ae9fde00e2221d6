"""Checks of the arguments that the functional API and the modules share.

Every error names the argument, what came, and what was expected.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = [
    "autocast_dtype",
    "check_cont",
    "check_count",
    "check_floating",
    "check_integers",
    "check_lengths",
    "check_like",
    "check_number",
    "check_pair",
    "check_recompute_every",
    "describe",
    "inside_transforms",
    "is_transformed",
    "needs_gradient",
    "numbers_of_channels",
    "refuse_forward_mode",
]

inside_transforms = torch._C._are_functorch_transforms_active  # of torch.func


def is_transformed() -> bool:
    """Return whether the call is inside a transform of torch.func or a level of forward mode."""
    return inside_transforms() or forward_ad._current_level >= 0


def needs_gradient(tensors: Iterable[Tensor | None]) -> bool:
    """Return whether one of the tensors may need a gradient.

    Inside torch.func no tensor tells of the gradients that are taken outside of a vmap.
    """
    if not torch.is_grad_enabled():
        return False
    return any(x is not None and x.requires_grad for x in tensors) or inside_transforms()


def refuse_forward_mode(tensors: Iterable[Tensor | None], reference: str) -> None:
    """Raise where forward-mode differentiation reaches an operator that would drop the tangent.

    Args:
        tensors: the arguments.
        reference: what to name as the implementation that has it.
    """
    if torch.compiler.is_compiling() or forward_ad._current_level < 0:
        return
    for tensor in tensors:
        if tensor is not None and forward_ad.unpack_dual(tensor).tangent is not None:
            raise NotImplementedError(
                "forward mode differentiation (jvp, dual tensors) is not implemented; "
                f"{reference} is made of ordinary torch operations and has it"
            )


def describe(value: object) -> str:
    """Return what a value is, for an error message."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"a {dtype} tensor of shape {tuple(value.shape)} on {value.device}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {value!r}"


def autocast_dtype(device_type: str) -> torch.dtype | None:
    """Return the dtype that autocast computes in on a device, None where it is off or unknown."""
    # torch 2.11 does not trace the question; of the devices that get this far only meta says no.
    tracing = torch.compiler.is_compiling()
    if device_type == "meta" or not (tracing or torch.amp.is_autocast_available(device_type)):
        return None
    if not torch.is_autocast_enabled(device_type):
        return None
    return torch.get_autocast_dtype(device_type)


def check_floating(name: str, value: object) -> Tensor:
    """Return ``value`` if it is a tensor of a floating dtype of at least two bytes."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {describe(value)}")
    if not value.is_floating_point() or value.dtype.itemsize < 2:
        raise TypeError(
            f"{name}: expected a floating dtype of 2, 4 or 8 bytes, got {describe(value)}"
        )
    return value


def check_like(
    name: str, value: object, shape: tuple[int, ...], letters: str, like: Tensor
) -> None:
    """Check the shape of a floating tensor, and that it has the dtype and device of ``like``."""
    tensor = check_floating(name, value)
    if tensor.shape != shape:
        raise ValueError(f"{name}: expected shape {letters} = {shape}, got {describe(value)}")
    if tensor.device != like.device:
        raise ValueError(
            f"{name}: expected a tensor on {like.device} like input, got {describe(value)}"
        )
    if tensor.dtype != like.dtype and autocast_dtype(like.device.type) is None:
        raise TypeError(f"{name}: expected dtype {like.dtype} like input, got {describe(value)}")


def check_number(name: str, value: object) -> float:
    """Return a real number as a float."""
    if not isinstance(value, int | float):
        raise TypeError(f"{name}: expected a number, got {describe(value)}")
    return float(value)


def check_count(name: str, value: object, least: int) -> None:
    """Check that ``value`` is an integer of at least ``least``."""
    if not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {describe(value)}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_pair(hx: object) -> tuple[Tensor, Tensor]:
    """Return a pair of tensors (h, c), of whatever shape."""
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise TypeError(f"hx: expected a pair of tensors (h, c), got {describe(hx)}")
    return check_floating("hx[0]", hx[0]), check_floating("hx[1]", hx[1])


def check_recompute_every(value: object) -> None:
    """Check the steps of a window: None or an integer of at least 1."""
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"recompute_every: expected None or an integer >= 1, got {value!r}")


def check_cont(cont: object, shape: Sequence[int], letters: str, like: Tensor) -> Tensor:
    """Return the continuation marks as bool: False where a sequence starts."""
    if not isinstance(cont, Tensor) or cont.is_complex():
        raise TypeError(f"cont: expected a tensor of bools or real numbers, got {describe(cont)}")
    if tuple(cont.shape) != tuple(shape):
        raise ValueError(f"cont: expected shape {letters} = {tuple(shape)}, got {describe(cont)}")
    if cont.device != like.device:
        raise ValueError(
            f"cont: expected a tensor on {like.device} like input, got {describe(cont)}"
        )
    return cont if cont.dtype == torch.bool else cont != 0


def check_integers(name: str, value: object) -> Tensor:
    """Return ``value`` if it is a tensor of integers."""
    kinds = isinstance(value, Tensor) and not value.is_floating_point() and not value.is_complex()
    if not isinstance(value, Tensor) or not kinds or value.dtype == torch.bool:
        raise TypeError(f"{name}: expected a tensor of integers, got {describe(value)}")
    return value


def check_lengths(lengths: object, batch: int, steps: int, like: Tensor) -> Tensor:
    """Return the lengths as int64 on the device of ``like``.

    Their values are only looked at where that needs no waiting for a device.
    """
    lengths = check_integers("lengths", lengths)
    if lengths.is_meta != like.is_meta:
        raise ValueError(f"lengths: expected a tensor with values, got {describe(lengths)}")
    if tuple(lengths.shape) != (batch,):
        raise ValueError(f"lengths: expected shape (B,) = ({batch},), got {describe(lengths)}")
    if lengths.device.type == "cpu" and not torch.compiler.is_compiling() and batch > 0:
        low, high = (int(bound) for bound in torch.aminmax(_unmapped(lengths).to(torch.int64)))
        if low < 0 or high > steps:
            raise ValueError(f"lengths: expected values within 0..T = {steps}, got {low}..{high}")
    return lengths.to(device=like.device, dtype=torch.int64)


def _unmapped(values: Tensor) -> Tensor:
    """The values of all elements of a vmap, in which those of one cannot be looked at."""
    while torch._C._functorch.is_functorch_wrapped_tensor(values):
        values = torch._C._functorch.get_unwrapped(values)
    return values


def numbers_of_channels(
    name: str, value: Tensor | Sequence[float] | float, channels: int
) -> list[float]:
    """Return one number for each channel, of a number for all or one for each."""
    if isinstance(value, int | float):
        return [float(value)] * channels
    numbers = hasattr(value, "__len__") and not isinstance(value, Tensor | str)
    if not numbers or len(value) != channels:
        raise ValueError(f"{name}: expected a number or {channels} of them, got {describe(value)}")
    return [float(number) for number in value]
