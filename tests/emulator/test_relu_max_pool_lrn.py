"""The CUDA kernels of relu_max_pool_lrn, on the CPU, against the reference."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lrcn_fast.reference.relu_max_pool_lrn import Options, memory_format
from tests.emulator.arrays import like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.emulator.mutants import FAULTS, MAP_FAULTS, Fault, mutants
from tests.helpers.maps import CASES, FORMATS, MapCase, build, check, saved_values

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LARGE = [
    # Several tiles and chunks of channels, in whole vectors.
    MapCase("chunks", (1, 160, 9, 21)),
    MapCase("far_windows", (1, 96, 3, 5), lrn_size=65),
]


def laid_out(map: Tensor, form: torch.memory_format) -> np.ndarray:
    """The map as it lies in memory."""
    return to_numpy(map if form == torch.contiguous_format else map.permute(0, 2, 3, 1))


def from_memory(array: np.ndarray, dtype: torch.dtype, form: torch.memory_format) -> Tensor:
    map = to_torch(array, dtype)
    map = map if form == torch.contiguous_format else map.permute(0, 3, 1, 2)
    # NumPy counts other strides where there is nothing.
    return torch.empty_like(map, memory_format=form).copy_(map)


def forward(x: Tensor, options: Options, form: torch.memory_format) -> tuple[Tensor, ...]:
    """Output, pooled values and index as the kernel writes them."""
    size = (*x.shape[:2], *options.pooled_size(*x.shape[2:]))
    order = (0, 1, 2, 3) if form == torch.contiguous_format else (0, 2, 3, 1)
    shape = [size[axis] for axis in order]
    output = like(x.dtype, *shape)
    pooled = like(x.dtype, *shape) if options.keeps_pooled else None
    index = np.full(shape, 254, np.uint8) if options.pools else None
    last = form == torch.channels_last
    emulator().relu_max_pool_lrn_forward(
        laid_out(x, form), tuple(options), last, output, pooled, index
    )
    return (
        from_memory(output, x.dtype, form),
        x.new_empty(0) if pooled is None else from_memory(pooled, x.dtype, form),
        torch.empty(0, dtype=torch.uint8)
        if index is None
        else from_memory(index, torch.uint8, form),
    )


def backward(
    grad: Tensor,
    values: Tensor,
    index: Tensor,
    x: Tensor,
    options: Options,
    form: torch.memory_format,
) -> Tensor:
    order = (0, 1, 2, 3) if form == torch.contiguous_format else (0, 2, 3, 1)
    grad_x = like(x.dtype, *(x.shape[axis] for axis in order))
    emulator().relu_max_pool_lrn_backward(
        laid_out(grad, form),
        laid_out(values, form) if values.dim() == 4 else None,
        laid_out(index, form) if index.dim() == 4 else None,
        tuple(options),
        form == torch.channels_last,
        grad_x,
    )
    return from_memory(grad_x, x.dtype, form)


def check_case(
    case: MapCase, lrn_first: bool, form: torch.memory_format, dtype: torch.dtype
) -> None:
    x, grad, options = build(case, dtype, form, lrn_first)
    form = memory_format(x)
    output, pooled, index = forward(x, options, form)
    grad_x = backward(grad, saved_values(x, pooled, options), index, x, options, form)
    check([output, pooled, index, grad_x], x, grad, options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES + LARGE, ids=str)
def test_case(
    case: MapCase, lrn_first: bool, form: torch.memory_format, dtype: torch.dtype
) -> None:
    check_case(case, lrn_first, form, dtype)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
def test_any_order_of_threads(lrn_first: bool, form: torch.memory_format, seed: int) -> None:
    emulator().set_seed(seed)
    for case in CASES[:3]:
        check_case(case, lrn_first, form, torch.float32)


def run_with_fault(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.emulator", mutants)
    mutants().set_fault(number)
    mutants().set_seed(1)
    for lrn_first in (False, True):
        check_case(LARGE[0], lrn_first, torch.contiguous_format, torch.float32)


def test_nothing_is_found_without_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with_fault(-1, monkeypatch)


@pytest.mark.parametrize("fault", MAP_FAULTS, ids=str)
def test_a_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A barrier or the channels around a chunk left out: by a report, or by a wrong result."""
    with pytest.raises((RuntimeError, AssertionError)):
        run_with_fault(FAULTS.index(fault), monkeypatch)


def test_a_map_that_is_too_small_is_found() -> None:
    options = CASES[0].options(False)
    grad, values = (np.zeros((1, 4, 3, 3), np.float32) for _ in range(2))
    index, grad_x = np.zeros((1, 4, 2, 2), np.uint8), np.zeros((1, 4, 6, 6), np.float32)
    with pytest.raises(RuntimeError, match="out of bounds: global load.* buffer 'index'"):
        emulator().relu_max_pool_lrn_backward(grad, values, index, tuple(options), False, grad_x)


def test_windows_of_more_channels_than_shared_memory_holds_are_refused() -> None:
    options = MapCase("", (1, 30_000, 1, 1), kernel=(1, 1), stride=(1, 1), lrn_size=59_999)
    x = torch.zeros(1, 30_000, 1, 1)
    with pytest.raises(RuntimeError, match="invalid size"):
        forward(x, options.options(False), torch.contiguous_format)
