"""LRCN building blocks for PyTorch on fast, fused LSTM kernels.

Needs torch alone. The compiled extension and optional packages (video, training) are used where
they are installed; ``python -m lrcn_fast doctor`` names what is missing and how to get it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lrcn_fast import backends, functional, nn
from lrcn_fast._version import __version__
from lrcn_fast.backends import use_backend
from lrcn_fast.nn import LSTM, LSTMCell, convert

if TYPE_CHECKING:
    from lrcn_fast import caffe, models

__all__ = [
    "LSTM",
    "LSTMCell",
    "__version__",
    "backends",
    "caffe",
    "convert",
    "functional",
    "models",
    "nn",
    "use_backend",
]


def __getattr__(name: str) -> Any:
    # Whoever only wants an LSTM does not wait for whole networks to be imported.
    if name in ("caffe", "models"):
        return importlib.import_module(f"lrcn_fast.{name}")
    raise AttributeError(f"module 'lrcn_fast' has no attribute {name!r}")
