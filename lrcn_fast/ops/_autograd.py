"""The autograd kernel of an operator: gradients, tangents, and both under torch.func.

torch.library.register_autograd makes a kernel that knows gradients alone: it loses tangents and
fails inside torch.func.grad.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import enable_single_level_autograd_function
from torch._library.autograd import not_list_of_tensor, supports_tensorlist
from torch.autograd import Function, forward_ad
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from lrcn_fast._arguments import inside_transforms

__all__ = ["autograd_kernel", "pull_back", "pulled_back", "save_arguments"]

_below_autograd = torch._C._AutoDispatchBelowAutograd
_keys_below_autograd = torch._C._after_autograd_keyset


def autograd_kernel(
    operator: Any,
    *,
    backward: Callable[..., Any],
    setup_context: Callable[..., None] | None,
    ordinary: Callable[..., Any] | None,
) -> Callable[..., Any]:
    """Return the kernel of an operator for the dispatch key ``Autograd``.

    Args:
        operator: an overload, whose kernels below autograd do the work.
        backward: as in ``torch.library.register_autograd``, as the next is, but for an element that
            ``ctx.needs_input_grad`` has too many, at its end.
        setup_context: what it saves; None where nothing is.
        ordinary: the operator's arguments to its results in ordinary torch operations, which
            computes values and tangents where an argument has a tangent; None where there is none.
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
            if ordinary is None:
                raise NotImplementedError(
                    f"lrcn_fast::{operator._opname}: forward mode differentiation (jvp, dual "
                    "tensors) is not implemented"
                )
            return ordinary(*args)
        if not (torch.is_grad_enabled() and torch._C._any_requires_grad(*args)):
            return below(keyset, args)
        # The dispatcher drops arguments that are equal to their defaults.
        args += tuple(defaults[len(args) :])
        if not transformed:
            return node.apply(*args, keyset)
        with enable_single_level_autograd_function():
            return node.apply(*args, keyset)

    return kernel


def _has_tangent(args: Sequence[Any]) -> bool:
    unpack = torch._VF._unpack_dual
    return any(unpack(x, level=0).tangent is not None for x in _tensors(args))


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (x for x in tree_leaves(tree) if isinstance(x, Tensor) and x.is_floating_point())


def save_arguments(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    """Save all arguments, for :func:`pulled_back`."""
    leaves, ctx.form = tree_flatten(inputs, is_leaf=not_list_of_tensor)
    ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in leaves))
    ctx.others = [None if isinstance(x, Tensor) else x for x in leaves]
    ctx.set_materialize_grads(False)


def pulled_back(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    """Return the backward of an operator as torch differentiates ordinary operations.

    Args:
        ordinary: the operator's arguments to its results, in ordinary torch operations.
    """

    def backward(ctx: Any, *grads: Any) -> Any:
        saved = zip(ctx.saved_tensors, ctx.others, strict=True)
        leaves = [other if tensor is None else tensor for tensor, other in saved]
        needs = [bool(need) for need in tree_leaves(ctx.needs_input_grad)]
        wanted = [n for n, need in enumerate(needs[: len(leaves)]) if need]

        def call(*inputs: Tensor) -> Any:
            for n, x in zip(wanted, inputs, strict=True):
                leaves[n] = x
            return ordinary(*tree_unflatten(leaves, ctx.form))

        found: list[Tensor | None] = [None] * len(leaves)
        gradients = pull_back(call, [leaves[n] for n in wanted], tree_leaves(grads))
        for n, gradient in zip(wanted, gradients, strict=True):
            found[n] = gradient
        return tuple(tree_unflatten(found, ctx.form))

    return backward


def pull_back(
    function: Callable[..., Any], inputs: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> Sequence[Tensor | None]:
    """Return the gradients at the inputs from those at a function's results, with their graph."""
    given = [grad for grad in grads if grad is not None]
    if not given:
        return [None] * len(inputs)

    def results(*values: Tensor) -> list[Tensor]:
        leaves = zip(tree_leaves(function(*values)), grads, strict=True)
        return [result for result, grad in leaves if grad is not None]

    # torch.autograd.grad would not know inputs that were saved inside a transform which has ended.
    found: Sequence[Tensor | None] = torch.func.vjp(results, *inputs)[1](given)
    return found
