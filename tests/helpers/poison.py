"""Make reads of memory that nobody wrote, and writes outside a buffer, visible.

Fresh memory is NaN while :func:`poisoned_memory` is active, so an output element that a kernel
forgets is NaN. Inputs made by :class:`Guards` lie between NaN sentinels: what a kernel reads
beyond an input is NaN, and what it writes there is found by :meth:`Guards.check`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_GUARD = 64
_POOL_BYTES = (64, 128, 256, 512, 1024, 2048, 4096, 16384, 65536)


def _dirty_the_heap() -> None:
    """Leave freed blocks full of NaN, for allocations that do not come from ``aten::empty``."""
    blocks = [torch.full((size // 4,), float("nan")) for size in _POOL_BYTES for _ in range(8)]
    del blocks


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """NaN in all memory that ``torch.empty`` returns, whether called in Python or in C++."""
    settings = torch.utils.deterministic
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = True
    try:
        _dirty_the_heap()
        assert torch.empty(3).isnan().all(), "fresh memory is not poisoned"
        yield
    finally:
        settings.fill_uninitialized_memory = fill
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


class Guards:
    """Copies of tensors between sentinels, and a check that nothing was written to any of them."""

    def __init__(self) -> None:
        self._buffers: list[tuple[Tensor, Tensor]] = []

    def surround(self, tensor: Tensor) -> Tensor:
        """A contiguous copy of ``tensor`` inside a larger buffer of NaN."""
        size = (tensor.numel() + 2 * _GUARD,)
        buffer = torch.full(size, float("nan"), dtype=tensor.dtype, device=tensor.device)
        inner = buffer[_GUARD : _GUARD + tensor.numel()].view(tensor.shape)
        inner.copy_(tensor)
        self._buffers.append((buffer, buffer.clone()))
        return inner

    def check(self) -> None:
        """Fail if an input or its surroundings changed."""
        for number, (buffer, before) in enumerate(self._buffers):
            bits = torch.int64 if buffer.dtype == torch.float64 else torch.int32
            bits = torch.int16 if buffer.dtype.itemsize == 2 else bits
            assert torch.equal(buffer.view(bits), before.view(bits)), (
                f"buffer {number} ({tuple(buffer.shape)}, {buffer.dtype}) was written to"
            )
