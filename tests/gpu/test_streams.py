"""Kernels run on the caller's stream and device, and nowhere else."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import lrcn_fast
from tests.gpu.modules import run
from tests.gpu.operators import build_on, capture, forward_and_backward, named, require
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = pytest.mark.gpu


@pytest.fixture
def chosen(backend: str, device: torch.device) -> Iterator[None]:
    require(backend, device, torch.float32, 64)
    with lrcn_fast.use_backend(backend):
        yield


def keep_busy(device: torch.device) -> None:
    """Tens of milliseconds of work on the current stream."""
    matrix = torch.randn(4096, 4096, device=device)
    for _ in range(20):
        matrix = matrix @ matrix / 64


@pytest.mark.usefixtures("chosen")
def test_side_stream(device: torch.device) -> None:
    """The input arrives late on the side stream: a kernel on any other one would read NaN."""
    module = lrcn_fast.LSTM(32, 64, num_layers=2, device=device)
    x = torch.randn(12, 9, 32, device=device)
    expected = run(module, x)
    late = torch.full_like(x, float("nan"))
    torch.cuda.synchronize()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        keep_busy(device)
        late.copy_(x)
        actual = run(module, late)
    side.synchronize()
    for name, result in actual.items():
        assert_bitwise_equal(result, expected[name], name)


@pytest.mark.usefixtures("chosen")
def test_streams_side_by_side(device: torch.device) -> None:
    """Calls that run at the same time share no buffers."""
    module = lrcn_fast.LSTM(32, 64, num_layers=2, bidirectional=True, device=device)
    xs = [torch.randn(20, 4 + k, 32, device=device) for k in range(4)]
    with torch.no_grad():
        expected = [module(x)[0] for x in xs]
        torch.cuda.synchronize()
        streams = [torch.cuda.Stream() for _ in xs]
        found: list[list[Tensor]] = [[] for _ in xs]
        for _ in range(5):
            for stream, x, outputs in zip(streams, xs, found):
                with torch.cuda.stream(stream):
                    outputs.append(module(x)[0])
        torch.cuda.synchronize()
    for output, outputs in zip(expected, found):
        for number, ours in enumerate(outputs):
            assert_bitwise_equal(ours, output, f"call {number}")


@pytest.fixture
def other() -> torch.device:
    """A device that is not the current one."""
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    return torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["all", "all_large_reverse"])
def test_second_device(name: str, backend: str, device: torch.device, other: torch.device) -> None:
    """Tensors on a device that is not the current one."""
    operators = forward_and_backward(backend, device, torch.float32, named(name))
    expected = operators(build_on(device, named(name), torch.float32))
    with torch.cuda.device(0):
        actual = operators(build_on(other, named(name), torch.float32))
        assert torch.cuda.current_device() == 0
    assert {result.device for result in actual} == {other}
    if torch.cuda.get_device_name(0) == torch.cuda.get_device_name(1):
        for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
            assert_bitwise_equal(ours.cpu(), theirs.cpu(), f"result {number}")


@pytest.mark.usefixtures("chosen")
def test_side_stream_of_a_second_device(other: torch.device) -> None:
    """The input arrives late there too."""
    module = lrcn_fast.LSTM(32, 64, num_layers=2, device=other)
    x = torch.randn(12, 9, 32, device=other)
    late = torch.full_like(x, float("nan"))
    side = torch.cuda.Stream(other)
    with torch.cuda.device(other):
        expected = run(module, x)
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            keep_busy(other)
            late.copy_(x)
            actual = run(module, late)
        side.synchronize()
    for name, result in actual.items():
        assert_bitwise_equal(result, expected[name], name)


@pytest.mark.usefixtures("chosen")
def test_graph_on_a_second_device(other: torch.device) -> None:
    module = lrcn_fast.LSTM(32, 64, num_layers=2, device=other)
    x, new = torch.randn(2, 12, 9, 32, device=other)
    with torch.no_grad(), torch.cuda.device(other):
        graph, (output, _) = capture(lambda: module(x))
        x.copy_(new)
        graph.replay()
        torch.cuda.synchronize()
        assert_bitwise_equal(output, module(new)[0], "output")
