"""float32 products on CUDA follow torch's own setting, without a GPU: fake tensors stand in."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from lrcn_fast import _direction, _loader, functional

SETTINGS = {"highest": 0, "high": 3, "medium": 1}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")


class ForwardArguments(TorchDispatchMode):
    """What the op lstm_forward was called with inside the block."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name() == "lrcn_fast::lstm_forward":
            self.tf32 = args[12] if len(args) > 12 else 0
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(
    not _loader.load() or not _loader.extension.build_info()["cuda_archs"],
    reason="the extension was built without CUDA",
)
@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("precision", SETTINGS)
def test_of_a_call(precision: str, device: str) -> None:
    torch.set_float32_matmul_precision(precision)
    with FakeTensorMode(), torch.no_grad():
        sizes = ((20, 3), (20, 5), (20,), (20,))
        params = [torch.empty(size, device=device) for size in sizes]
        with ForwardArguments() as arguments:
            output, _ = functional.lstm(torch.empty(4, 2, 3, device=device), None, params)
    assert output.shape == (4, 2, 5) and output.device.type == device
    assert arguments.tf32 == (SETTINGS[precision] if device == "cuda" else 0)


def test_of_cuda_alone() -> None:
    """The newer setting, which the older one refuses to be mixed with."""
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert _direction._tf32_products() == 1
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    assert _direction._tf32_products() == 0


@pytest.mark.parametrize("precision", SETTINGS)
def test_in_a_compiled_graph(precision: str) -> None:
    torch._dynamo.reset()
    torch.set_float32_matmul_precision(precision)
    compiled = torch.compile(
        lambda x: x + _direction._tf32_products(), fullgraph=True, backend="eager"
    )
    assert compiled(torch.zeros(())) == SETTINGS[precision]


def test_a_compiled_graph_is_traced_again_when_tf32_is_allowed_or_forbidden() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda x: x + _direction._tf32_products(), fullgraph=True, backend="eager"
    )
    for precision in ("highest", "high", "highest", "medium"):
        torch.set_float32_matmul_precision(precision)
        if precision == "medium":
            torch.compiler.reset()
        assert compiled(torch.zeros(())) == SETTINGS[precision]
