"""How kernels are cut into programs and launched."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from lrcn_fast.triton_kernels.product import product

__all__ = ["INTERPRETED", "Launches", "Tiles", "on_device", "precision", "processors", "tiles"]

# TRITON_INTERPRET=1 when the kernels were imported: NumPy runs them, on any device.
INTERPRETED = not isinstance(product, triton.JITFunction)
_PRECISIONS = {0: "ieee", 3: "tf32x3", 1: "tf32"}
_LARGEST_ROWS = 64


def precision(dtype: torch.dtype, tf32: int = 0) -> str:
    """How products of a dtype are formed: those of float32 as they are, or as 1 or 3 of TF32."""
    if tf32 not in _PRECISIONS:
        raise ValueError(f"tf32: expected 0, 1 or 3, got {tf32}")
    if dtype == torch.bfloat16 and INTERPRETED:
        return "widened"
    if dtype != torch.float32:
        return "ieee"
    return _PRECISIONS[tf32]


def processors(tensor: Tensor) -> int:
    """Streaming multiprocessors of the tensor's device; few under the interpreter."""
    if not tensor.is_cuda:
        return 2
    return int(torch.cuda.get_device_properties(tensor.device).multi_processor_count)


def on_device(tensor: Tensor) -> AbstractContextManager[Any]:
    """Make the tensor's device the current one, whose current stream Triton launches on."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@dataclass(frozen=True)
class Tiles:
    """Block sizes of a product (B, N) over K, and the options of the kernel that holds it.

    Attributes:
        rows: of the batch, in a program.
        columns: units, or columns of the product, in a program.
        depth: terms of the sums that are loaded at once.
        grid: programs over the batch and over the columns.
    """

    rows: int
    columns: int
    depth: int
    num_warps: int
    num_stages: int
    grid: tuple[int, int]

    @property
    def blocks(self) -> tuple[int, int, int]:
        """The last three arguments of a kernel."""
        return self.rows, self.columns, self.depth


def tiles(
    batch: int, width: int, depth: int, gates: int, itemsize: int, mode: str, processors: int
) -> Tiles:
    """Choose the block sizes of a step from its shape alone: nothing is timed, nothing compiled.

    Every step reads the weights once for each block of rows and waits for the slowest program, so
    the columns are divided as long as there are processors without any, and rows only where one
    block cannot hold them.

    Args:
        batch: B.
        width: units, or columns of the product.
        depth: K, the length of its sums.
        gates: 4 where each unit has four columns of the product, else 1.
        itemsize: bytes of an element.
        mode: how products are formed, from :func:`precision`.
        processors: of the device.
    """
    rows = min(triton.next_power_of_2(max(batch, 1)), _LARGEST_ROWS)
    if 1 < rows < 16 and not (mode == "ieee" and itemsize == 4):
        # A tensor core takes no fewer.
        rows = 16
    row_blocks = triton.cdiv(batch, rows)
    # Columns of the product in a program. A tensor core takes 8 for each of the four warps.
    wide = 64 if rows > 1 else 32
    smallest = max(16, 8 * gates)
    while wide > smallest and row_blocks * triton.cdiv(width * gates, wide) < processors:
        wide //= 2
    # Bytes of a row that are loaded at once. Three or four such blocks are under way, but for a
    # single row, whose loads go to registers and wait for each other.
    # Products of float32 in several parts, or in none, need the registers for themselves.
    light = itemsize == 2 or mode == "tf32"
    loaded = 512 if rows == 1 else 256 if light and rows * wide <= 1024 else 128
    terms = min(loaded // itemsize, max(16, triton.next_power_of_2(depth)))
    columns = wide // gates
    return Tiles(
        rows=rows,
        columns=columns,
        depth=terms,
        num_warps=8 if rows * wide >= 4096 else 4,
        num_stages=4 if rows * wide <= 1024 else 3,
        grid=(row_blocks, triton.cdiv(width, columns)),
    )


class Launches:
    """Launches of one kernel with arguments that differ in numbers and in equally aligned tensors.

    The first finds or compiles the kernel; the others skip that search, which takes longer than a
    step of a small LSTM does.
    """

    def __init__(self, kernel: Any, chosen: Tiles, tail: tuple[Any, ...]) -> None:
        """Launch ``kernel`` on a grid; ``tail`` are the arguments behind the ones of each call."""
        self._kernel = kernel[chosen.grid]
        self._options = {
            "num_warps": chosen.num_warps,
            "num_stages": chosen.num_stages,
            # Left alone, ptxas spills a register or two for the sake of blocks that never come.
            "maxnreg": 255,
        }
        self._grid = (*chosen.grid, 1)
        self._tail = (*tail, *chosen.blocks)
        self._run: Any = None

    def __call__(self, *arguments: Any) -> None:
        """Launch on the current stream of the current device."""
        if self._run is not None:
            self._run(*arguments, *self._tail)
            return
        compiled = self._kernel(*arguments, *self._tail, **self._options)
        # The interpreter compiles nothing.
        if compiled is not None:
            self._run = compiled[self._grid]
