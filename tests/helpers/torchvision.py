"""torchvision's networks, whatever torch its own extension was built for."""

import importlib
import importlib.util
from types import ModuleType

import pytest
import torch

_libraries: list[torch.library.Library] = []
"""A library that is collected takes its operators away."""


def models() -> ModuleType:
    """``torchvision.models``; the test is skipped where torchvision is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is absent: pip install --no-deps torchvision")
    # It asks for these two operators when it is imported, and has them only beside its own torch.
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
    return importlib.import_module("torchvision.models")
