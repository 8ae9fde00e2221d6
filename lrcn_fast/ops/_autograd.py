"""The autograd kernel of an operator: gradients, tangents, and both under torch.func.

torch.library.register_autograd makes a kernel that knows gradients alone: it loses tangents and
fails inside torch.func.grad.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import enable_single_level_autograd_function
from torch._library.autograd import supports_tensorlist
from torch.autograd import Function, forward_ad
from torch.utils._pytree import tree_leaves

from lrcn_fast._arguments import inside_transforms

__all__ = ["autograd_kernel", "has_gradient", "make_duals", "unpack_duals"]

_below_autograd = torch._C._AutoDispatchBelowAutograd
_keys_below_autograd = torch._C._after_autograd_keyset


def autograd_kernel(
    operator: Any,
    *,
    backward: Callable[..., Any],
    setup_context: Callable[..., None] | None,
    forward_mode: Callable[..., Any] | None,
) -> Callable[..., Any]:
    """Return the kernel of an operator for the dispatch key ``Autograd``.

    Args:
        operator: an overload, whose kernels below autograd do the work.
        backward: as in ``torch.library.register_autograd``, as the next is, but for an element that
            ``ctx.needs_input_grad`` has too many, at its end.
        setup_context: what it saves; None where nothing is.
        forward_mode: takes the operator and its arguments, of which some are dual tensors, and
            returns results that are; None where there is no forward mode.
    """
    schema = operator._schema
    defaults = [argument.default_value for argument in schema.arguments]

    def below(keyset: Any, args: tuple[Any, ...]) -> Any:
        with _below_autograd():
            return operator.redispatch(keyset & _keys_below_autograd, *args)

    def forward(ctx: Any, *inputs: Any) -> Any:
        *args, keyset = inputs
        if not inside_transforms():
            output = below(keyset, tuple(args))
        else:
            # What is below may be another transform, whose derivatives Function has switched off.
            with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):
                output = below(keyset, tuple(args))
        if setup_context is not None:
            setup_context(ctx, tuple(args), output)
        return output

    def backward_and_none(ctx: Any, *grads: Any) -> Any:
        return (*backward(ctx, *grads), None)

    name = f"{operator._opname}_autograd"
    rules = {"forward": staticmethod(forward), "backward": staticmethod(backward_and_none)}
    node: Any = type(name, (Function,), rules)
    # Function's own apply asks for rules of torch.func, which the dispatcher has already followed.
    node.apply = super(Function, node).apply
    if any("List[Tensor]" in str(x.type) for x in (*schema.arguments, *schema.returns)):
        node = supports_tensorlist(node)

    def kernel(keyset: Any, *args: Any) -> Any:
        transformed = inside_transforms()
        if (transformed or forward_ad._current_level >= 0) and _has_tangent(args):
            if forward_mode is None:
                raise NotImplementedError(
                    f"lrcn_fast::{operator._opname}: forward mode differentiation (jvp, dual "
                    "tensors) is not implemented"
                )
            return forward_mode(operator, *args)
        if not has_gradient(args):
            return below(keyset, args)
        # The dispatcher drops arguments that are equal to their defaults.
        args += tuple(defaults[len(args) :])
        if not transformed:
            return node.apply(*args, keyset)
        with enable_single_level_autograd_function():
            return node.apply(*args, keyset)

    return kernel


def has_gradient(args: Sequence[Any]) -> bool:
    """Return whether autograd keeps a graph for what these arguments go into, at this level."""
    return torch.is_grad_enabled() and torch._C._any_requires_grad(*args)


def _has_tangent(args: Sequence[Any]) -> bool:
    unpack = torch._VF._unpack_dual
    return any(unpack(x, level=0).tangent is not None for x in _tensors(args))


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (x for x in tree_leaves(tree) if isinstance(x, Tensor) and x.is_floating_point())


def unpack_duals(tensors: Sequence[Tensor | None]) -> tuple[list[Any], list[Tensor | None]]:
    """Return primals and tangents, None for none, at the level of the operator that is called."""
    pairs = [(None, None) if x is None else torch._VF._unpack_dual(x, level=0) for x in tensors]
    return [primal for primal, _ in pairs], [tangent for _, tangent in pairs]


def make_duals(primals: Sequence[Tensor], tangents: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return dual tensors of primals and their tangents."""
    pairs = zip(primals, tangents, strict=True)
    return tuple(torch._VF._make_dual(primal, tangent, level=0) for primal, tangent in pairs)
