"""These tests need a process of their own, in which Triton's interpreter runs every kernel.

``tests/triton_kernels/test_interpreter.py`` starts it; by hand: ``TRITON_INTERPRET=1 pytest`` and
this folder.
"""

import os

import pytest

if os.environ.get("TRITON_INTERPRET") != "1":
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The interpreter computes with NumPy, which warns of what saturates."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore::RuntimeWarning:triton"))
