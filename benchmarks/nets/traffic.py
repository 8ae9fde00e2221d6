"""Bytes that the operations of a call read and write, counted from their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Traffic(TorchDispatchMode):
    """While it is entered, adds up the sizes of every operation's arguments and results.

    What an operation moves inside itself, as convolutions that bring their arguments into another
    layout do, is not seen. Views and fresh memory move nothing.

    Args:
        weights: tensors that are not counted: one batch reads them once, whatever its size.
    """

    def __init__(self, weights: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.bytes = 0
        self._weights = {weight.untyped_storage().data_ptr() for weight in weights}

    def _count(self, tensors: Iterable[Tensor]) -> int:
        return sum(
            x.numel() * x.element_size()
            for x in tensors
            if x.untyped_storage().data_ptr() not in self._weights
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        results = func(*args, **(kwargs or {}))
        if func.is_view or "empty" in func.name():
            return results
        read = [x for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)]
        written = [x for x in tree_iter(results) if isinstance(x, Tensor)]
        self.bytes += self._count(read) + self._count(written)
        return results


def moved(call: Callable[[], object], weights: Iterable[Tensor]) -> int:
    """Bytes that one call reads and writes, weights apart."""
    with Traffic(weights) as traffic:
        call()
    return traffic.bytes
