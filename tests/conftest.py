"""Deterministic runs: fixed seeds and threads, and no random choice of Hypothesis' own."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "deterministic",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("deterministic")


@pytest.fixture(autouse=True)
def reproducible() -> Iterator[None]:
    """Every test starts from the same seed, on one thread, and leaves the thread count as it was.

    Small problems on several threads mostly wait; a test about threads chooses its own number.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``isa`` runs once for every instruction set of the native extension."""
    if "isa" in metafunc.fixturenames:
        from tests.helpers import native

        metafunc.parametrize("isa", native.isas(), indirect=True)


@pytest.fixture
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """The instruction set that the native kernels run on during the test."""
    from tests.helpers import native

    with native.instruction_set(request.param):
        yield request.param
