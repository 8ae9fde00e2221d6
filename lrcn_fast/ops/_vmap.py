"""Rules of ``torch.func.vmap``: the mapped dimension joins the rows, or the elements take turns."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["Rows", "vmap_rule"]

Rows = tuple[int | None, ...]
"""The dimension that holds the rows, for each tensor or list of tensors; None for a weight."""


def vmap_rule(operator: Any, arguments: Rows, results: Rows) -> Callable[..., tuple[Any, Any]]:
    """Return the rule of an operator, as ``torch.library.register_vmap`` takes it.

    Rows do not depend on each other, so elements that share their weights are one call.

    Args:
        operator: an overload.
        arguments: of the tensors among its arguments, which come first. Dimension 1 is that of a
            sequence (T, B, ..): it is 0 where the operator's ``batch_first`` is true.
        results: of its results.
    """
    names = [argument.name for argument in operator._schema.arguments]
    batch_first = names.index("batch_first") if "batch_first" in names else None

    def rule(info: Any, dims: Sequence[Any], *args: Any) -> tuple[Any, Any]:
        count: int = info.batch_size
        if any(dim is not None and row is None for dim, row in _pairs(dims, arguments)):
            return _one_by_one(operator, count, dims, args)
        transposed = batch_first is not None and args[batch_first]

        def place(row: int | None) -> int:
            return 0 if row is None or transposed else row

        folded = [
            _map(lambda x, dim, row=row: _fold(x, dim, place(row), count), value, dim)
            if row is not None
            else value
            for value, dim, row in zip(args, dims, arguments)
        ]
        found = operator(*folded, *args[len(arguments) :])
        unfolded = [
            tree_map(lambda x, row=row: _unfold(x, place(row), count), value)
            for value, row in zip(found, results, strict=True)
        ]
        return tuple(unfolded), tree_map(lambda _: 0, tuple(unfolded))

    return rule


def _pairs(dims: Sequence[Any], rows: Rows) -> list[tuple[int | None, int | None]]:
    return [(dim, row) for some, row in zip(dims, rows) for dim in tree_leaves(some)]


def _map(function: Callable[..., Any], value: Any, dim: Any) -> Any:
    """Apply a function to tensors and their mapped dimensions, alone or in a list."""
    if isinstance(value, list | tuple):
        return [_map(function, *pair) for pair in zip(value, dim, strict=True)]
    return function(value, dim) if isinstance(value, Tensor) else value


def _fold(x: Tensor, dim: int | None, row: int, count: int) -> Tensor:
    if x.dim() - (dim is not None) == 1 and x.numel() == 0:  # stands for what a scan lacks
        return x.flatten()
    whole: Tensor = x.unsqueeze(row) if dim is None else x.movedim(dim, row)
    sizes = [count if n == row else -1 for n in range(whole.dim())]
    return whole.expand(sizes).flatten(row, row + 1)


def _unfold(x: Tensor, row: int, count: int) -> Tensor:
    if x.shape == (0,):
        return x.expand(count, 0)
    elements: Tensor = x.unflatten(row, (count, x.shape[row] // count))
    return elements.movedim(row, 0)


def _one_by_one(
    operator: Any, count: int, dims: Sequence[Any], args: Sequence[Any]
) -> tuple[Any, Any]:
    def element(x: Tensor, dim: int | None, n: int) -> Tensor:
        return x if dim is None else x.select(dim, n)

    found = [
        operator(
            *(
                _map(lambda x, dim, n=n: element(x, dim, n), *pair)
                for pair in zip(args, dims, strict=True)
            )
        )
        for n in range(count)
    ]
    stacked = tree_map(lambda *tensors: torch.stack(tensors), *found)
    return stacked, tree_map(lambda _: 0, stacked)
