"""How many bytes of tensors are alive at most, counted as they are made and dropped."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):
    """While it is entered, counts the memory of every tensor that an operation returns.

    Attributes:
        now: bytes alive that were made since.
        peak: the largest value of ``now``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def _add(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address in self._known:
            return
        self._known.add(address)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, address, size)

    def _drop(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        before = {
            x.untyped_storage()._cdata for x in tree_iter(args) if isinstance(x, torch.Tensor)
        }
        results = func(*args, **(kwargs or {}))
        for result in tree_iter(results):
            if isinstance(result, torch.Tensor):
                storage = result.untyped_storage()
                if storage._cdata not in before:
                    self._add(storage)
        return results


def peak_bytes(run: Callable[[], object]) -> int:
    """The most bytes of new tensors that are alive at once during ``run``."""
    with LiveBytes() as live:
        run()
    return live.peak
