"""Definition of an operator of ``torch.ops.lrcn_fast`` from its parts."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lrcn_fast.ops._autograd import autograd_kernel
from lrcn_fast.ops._vmap import Rows, vmap_rule

__all__ = [
    "Half",
    "define",
    "define_both",
    "define_inference",
    "define_undifferentiable",
    "implement",
]

_NAMESPACE = "lrcn_fast"
# Kept for the life of the process: a library that is collected takes its operators along.
_library = torch.library.Library(_NAMESPACE, "DEF")


def define(
    name: str,
    signature: str,
    *,
    fake: Callable[..., Any],
    setup_context: Callable[..., None],
    backward: Callable[..., Any],
    forward_mode: Callable[..., Any] | None = None,
    vmap: Callable[..., Any] | None = None,
    autocast: bool = True,
) -> None:
    """Define an operator with its fake kernel, its derivatives and its rule under autocast.

    Args:
        setup_context, backward, forward_mode: see :func:`lrcn_fast.ops._autograd.autograd_kernel`.
        vmap: as ``torch.library.register_vmap`` takes it; None for torch's own loop.
        autocast: whether autocast casts the arguments; else the operator follows their dtype.
    """
    _define(name, signature, fake)
    _register_autograd(name, backward, setup_context, forward_mode)
    if vmap is not None:
        torch.library.register_vmap(f"{_NAMESPACE}::{name}", vmap, lib=_library)
    if autocast:
        _register_autocast(name, "cpu", "AutocastCPU")
        _register_autocast(name, "cuda", "AutocastCUDA")


@dataclass(frozen=True)
class Half:
    """The forward or the backward half of an operator, or one that has no backward.

    Attributes:
        signature: its arguments and results, as in a schema.
        fake: the shapes of its results.
        implementations: functions for every device by the suffix of the operator that each is; the
            one without a suffix gets its kernels from the extension, unless one is given.
        rows: of its arguments and its results, see :mod:`lrcn_fast.ops._vmap`; None for torch's own
            loop over what vmap maps.
        forward_mode: see :func:`lrcn_fast.ops._autograd.autograd_kernel`.
    """

    signature: str
    fake: Callable[..., Any]
    implementations: Mapping[str, Callable[..., Any]]
    rows: tuple[Rows, Rows] | None = None
    forward_mode: Callable[..., Any] | None = None


def define_both(
    name: str,
    forward: Half,
    backward: Half,
    *,
    setup_context: Callable[..., None],
    gradient: Callable[..., Any],
    second: tuple[Callable[..., None], Callable[..., Any]] | None = None,
    reference: str | None = None,
    autocast: bool = True,
) -> None:
    """Define ``{name}_forward`` and ``{name}_backward``, without and with each of the suffixes.

    Args:
        gradient: takes the backward operator to call, then what autograd passes (ctx, grads ..).
        second: the gradient of the backward operator, after what saves for it; None refuses it.
        reference: who has it then, of ``lrcn_fast.reference``; None for the operator's own name.
        autocast: as in :func:`define`.
    """
    for suffix in dict.fromkeys(("", *forward.implementations)):
        forward_name, backward_name = f"{name}_forward{suffix}", f"{name}_backward{suffix}"
        _define_backward(backward_name, backward, second, reference or name)
        operator = getattr(torch.ops.lrcn_fast, backward_name).default
        define(
            forward_name,
            forward.signature,
            fake=forward.fake,
            setup_context=setup_context,
            backward=functools.partial(gradient, operator),
            forward_mode=forward.forward_mode,
            autocast=autocast,
        )
        _register_rows(forward_name, forward)
        if suffix in forward.implementations:
            implement(forward_name, forward.implementations[suffix])
            implement(backward_name, backward.implementations[suffix])


def define_undifferentiable(name: str, operator: Half) -> None:
    """Define an operator that autograd never sees, without and with each of the suffixes."""
    _define(name, operator.signature, operator.fake)
    for suffix, function in operator.implementations.items():
        _define(name + suffix, operator.signature, operator.fake)
        implement(name + suffix, function)


def define_inference(name: str, operator: Half) -> None:
    """Define an operator without a gradient, without and with each of the suffixes."""
    define_undifferentiable(name, operator)
    for suffix in ("", *operator.implementations):
        _refuse_gradient(
            name + suffix,
            operator,
            "it is for inference and has no gradient; call it under torch.no_grad()",
        )


def implement(
    name: str, function: Callable[..., Any], key: str = "CompositeExplicitAutograd"
) -> None:
    """Register an implementation, for every device unless another dispatch key is given."""
    _library.impl(name, function, key)


def _define_backward(
    name: str,
    half: Half,
    second: tuple[Callable[..., None], Callable[..., Any]] | None,
    reference: str,
) -> None:
    _define(name, half.signature, half.fake)
    _register_rows(name, half)
    if second is not None:
        setup_context, backward = second
        _register_autograd(name, backward, setup_context, half.forward_mode)
        return
    _refuse_gradient(
        name,
        half,
        "second derivatives are not implemented; "
        f"lrcn_fast.reference.{reference} is made of ordinary torch operations and has them",
    )


def _refuse_gradient(name: str, half: Half, reason: str) -> None:
    def backward(ctx: Any, *grads: Any) -> None:
        raise RuntimeError(f"lrcn_fast::{name}: {reason}")

    _register_autograd(name, backward, None, half.forward_mode)


def _register_autograd(
    name: str,
    backward: Callable[..., Any],
    setup_context: Callable[..., None] | None,
    forward_mode: Callable[..., Any] | None,
) -> None:
    kernel = autograd_kernel(
        getattr(torch.ops.lrcn_fast, name).default,
        backward=backward,
        setup_context=setup_context,
        forward_mode=forward_mode,
    )
    _library.impl(name, kernel, "Autograd", with_keyset=True)


def _register_rows(name: str, half: Half) -> None:
    if half.rows is None:
        return
    rule = vmap_rule(getattr(torch.ops.lrcn_fast, name).default, *half.rows)
    torch.library.register_vmap(f"{_NAMESPACE}::{name}", rule, lib=_library)


def _define(name: str, signature: str, fake: Callable[..., Any]) -> None:
    _library.define(name + signature, tags=(torch.Tag.pt2_compliant_tag,))

    # Also called where only some tensors lie on "meta": nothing would fill the results.
    def checked(*args: Any) -> Any:
        arguments = torch.utils._pytree.tree_leaves(args)
        devices = {x.device.type for x in arguments if isinstance(x, torch.Tensor)}
        if "meta" in devices and len(devices) > 1:
            raise RuntimeError(
                f"lrcn_fast::{name}: all tensors must lie on one device, got {sorted(devices)}"
            )
        return fake(*args)

    torch.library.register_fake(f"{_NAMESPACE}::{name}", checked, lib=_library)


def _register_autocast(name: str, device_type: str, key: str) -> None:
    operator = getattr(torch.ops.lrcn_fast, name).default

    # torch.library.register_autocast takes one dtype for good; the user's is known only now.
    def rule(*args: Any) -> Any:
        dtype = torch.get_autocast_dtype(device_type)
        with torch.autocast(device_type, enabled=False):
            return operator(*(_cast(argument, dtype) for argument in args))

    _library.impl(name, rule, key)


def _cast(argument: Any, dtype: torch.dtype) -> Any:
    """Cast as torch's own rules do: floating tensors, but not float64."""
    if isinstance(argument, list | tuple):
        return [_cast(element, dtype) for element in argument]
    if not isinstance(argument, torch.Tensor):
        return argument
    if not argument.is_floating_point() or argument.dtype == torch.float64:
        return argument
    return argument.to(dtype)
