"""Read the golden files of the original Caffe and bring their gates into torch's order.

Small files lie in ``data`` beside this module; the large ones are in ``shared/golden`` beside the
checkout, and a test of such a file is skipped where that folder is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "golden"

WINDOWS = [
    "plain", "static", "exposed", "exposed_static", "odd_n1", "odd_nd", "odd_h1", "extreme", "wide",
]  # fmt: skip

Params = list[Tensor]
Run = Callable[[Tensor, tuple[Tensor, Tensor] | None, Params, Tensor, Tensor | None], "Result"]
"""(x (T,N,I), state, [w_ih, w_hh, b_ih, b_hh, (w_is)], cont, static) to a :class:`Result`."""


@dataclass
class Result:
    """What one layer returned: h (T,N,H), c (T,N,H), and the final states (1,N,H)."""

    output: Tensor
    cells: Tensor
    h_n: Tensor
    c_n: Tensor


def golden_file(name: str) -> Path:
    """A golden file; a test of one that is nowhere is skipped."""
    path = DATA / name
    if not path.exists():
        path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path.name} is too large for the repository and {SHARED} does not exist")
    return path


def arrays(name: str) -> dict[str, Tensor]:
    """All arrays of ``<name>.npz``."""
    with numpy.load(golden_file(f"{name}.npz")) as found:
        return {key: torch.from_numpy(numpy.array(found[key])) for key in found.files}


def load(name: str) -> dict[str, Tensor]:
    """All arrays of ``lstm_<name>.npz``."""
    return arrays(f"lstm_{name}")


def torch_order(rows: Tensor) -> Tensor:
    """Rows (4H, ..) from Caffe's i, f, o, g to torch's i, f, g, o; its own inverse."""
    i, f, o, g = rows.chunk(4)
    return torch.cat([i, f, g, o])


def parameters(golden: dict[str, Tensor], prefix: str = "") -> Params:
    """w_ih, w_hh, b_ih, b_hh and, where the layer has a static input, w_is, as leaves."""
    bias = torch_order(golden[prefix + "b_c"])
    rows = [
        torch_order(golden[prefix + "W_xc"]),
        torch_order(golden[prefix + "W_hc"]),
        bias,
        torch.zeros_like(bias),
    ]
    if prefix + "W_xc_static" in golden:
        rows.append(torch_order(golden[prefix + "W_xc_static"]))
    return [row.clone().requires_grad_() for row in rows]


def parameter_gradients(golden: dict[str, Tensor], prefix: str = "") -> Params:
    """Caffe's gradients in the form and order of :func:`parameters`."""
    names = ["W_xc", "W_hc", "b_c", "b_c", "W_xc_static"]
    return [
        torch_order(golden[f"d_{prefix}{name}"]) for name in names if f"d_{prefix}{name}" in golden
    ]


def flatten(x: Tensor, kept: int) -> Tensor:
    """Caffe multiplies everything after the leading axes as one vector."""
    return x.flatten(kept) if x.dim() > kept + 1 else x
