"""Tests that need a CUDA GPU: ``pytest -m gpu``. Without one, they are collected and skipped."""

from collections.abc import Iterator

import pytest
import torch

from tests.gpu.operators import DTYPES


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip before any fixture runs."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU: torch.cuda.is_available() is False")


@pytest.fixture
def device() -> torch.device:
    """The GPU that the tests run on."""
    return torch.device("cuda", 0)


@pytest.fixture(params=["native", "triton"])
def backend(request: pytest.FixtureRequest) -> str:
    """A backend with CUDA kernels, by name; whether it takes a call is asked by ``require``."""
    return str(request.param)


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Every dtype that the kernels are promised for."""
    found: torch.dtype = request.param
    return found


@pytest.fixture(autouse=True)
def whole_float32() -> Iterator[None]:
    """Without this, cuDNN rounds float32 to TF32 and would be no measure for float32 kernels."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]
