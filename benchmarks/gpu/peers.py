"""The implementations that the bench part compares."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..peers import TORCH, Peer
from .rows import Row

TORCH_NAME = TORCH.name
OURS = ("native", "triton")
STEPS = "steps"
"""The native backend with one launch a step, where the planner may have chosen otherwise."""
COMPILED = "compiled"


class OnBackend(nn.RNNBase):
    """torch.nn.LSTM's parameters, run by one backend of lrcn_fast or not at all."""

    def __init__(self, backend: str, input_size: int, hidden_size: int, **options: Any) -> None:
        super().__init__("LSTM", input_size, hidden_size, **options)
        self.backend = backend

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> Any:
        """Run the LSTM over (T, B, I)."""
        from lrcn_fast import functional

        return functional.lstm(
            input,
            hx,
            [weight for weight in self._flat_weights if weight is not None],
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            backend=self.backend,
        )

    def flatten_parameters(self) -> None:
        """Do nothing: only cuDNN wants its weights in one piece."""


def _compiled(*sizes: int, **options: Any) -> nn.Module:
    module = nn.LSTM(*sizes, **options)
    # In place, so that the names of the parameters stay.
    module.compile()
    return module


def ours(backend: str) -> Peer:
    """A backend of lrcn_fast."""
    return Peer(
        backend, lambda *sizes, **options: OnBackend(backend, *sizes, **options), TORCH.cell
    )


def _one_launch_a_step() -> AbstractContextManager[None]:
    from lrcn_fast.backends import use_persistent

    return use_persistent("0")


def peers(row: Row) -> list[Peer]:
    """Those compared with torch.nn.LSTM in a row.

    torch.compile leaves torch.nn.LSTM to cuDNN and takes seconds to find out, so it is measured at
    the paper's shapes and with torch's default settings only.
    """
    found = [ours(name) for name in OURS]
    if row.dtype_name != "float32" or row.precision == "float32-tf32":
        found.append(replace(ours("native"), name=STEPS, within=_one_launch_a_step))
    asked = row.group == "paper" and row.precision == row.dtype_name
    return [*found, Peer(COMPILED, _compiled, TORCH.cell)] if asked else found


def kernels(row: Row) -> dict[str, str]:
    """Which kernels of ours the planner takes in a row, by mode, at torch's present precision."""
    from lrcn_fast.backends import Gpu, plan

    gpu, shape = Gpu.present(), row.shape
    forward, backward = (
        plan(
            gpu,
            row.dtype,
            shape.hidden_size,
            batch=shape.batch,
            steps=shape.steps,
            backward=backward,
        ).kernel
        for backward in (False, True)
    )
    return {"inference": forward, "training": f"{forward}, {backward}"}


def compiled_graphs() -> dict[str, int]:
    """What torch.compile made of its module since :func:`forget_compiled`: 0 graphs are eager."""
    from torch._dynamo.utils import counters

    breaks = sum(counters["graph_break"].values())
    return {"graphs": counters["stats"]["unique_graphs"], "graph_breaks": breaks}


def forget_compiled() -> None:
    """Frees what torch.compile holds: its limit of recompilations counts for all rows together."""
    import torch._dynamo
    from torch._dynamo.utils import counters

    torch._dynamo.reset()

    counters.clear()
