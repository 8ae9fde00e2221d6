"""Tests that need a CUDA GPU: ``pytest -m gpu``. Without one, they are collected and skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lrcn_fast.backends import use_persistent
from tests.gpu.operators import DTYPES, too_much_for_triton, unavailable

FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip before any fixture runs."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU: torch.cuda.is_available() is False")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what would be too much for Triton."""
    left_out = {item for item in items if _is_too_much(item)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _is_too_much(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    if callspec is None or FOLDER not in item.path.parents:
        return False
    is_triton = callspec.params.get("backend") == "triton"
    return is_triton and any(map(too_much_for_triton, callspec.params.values()))


@pytest.fixture
def device() -> torch.device:
    """The GPU that the tests run on."""
    return torch.device("cuda", 0)


@pytest.fixture(params=["native", "native-on-chip", "triton"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """A backend with CUDA kernels, by name; whether it takes a call is asked by ``require``.

    The native one has two kinds: those that are launched for every step, and wherever they fit
    those that stay on chip for a whole sequence.
    """
    name, _, on_chip = str(request.param).partition("-")
    if name == "triton" or unavailable(name):
        yield name
        return
    with use_persistent("1" if on_chip else "0"):
        yield name


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
