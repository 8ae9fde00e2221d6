"""One layer of an LSTM in one direction: its weights, and its run through the operators."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lrcn_fast._arguments import (
    autocast_dtype,
    check_floating,
    check_like,
    describe,
    is_transformed,
)
from lrcn_fast._constant import constant_when_traced
from lrcn_fast.backends import Backend
from lrcn_fast.ops.linear import project
from lrcn_fast.reference.lstm_scans import listed

__all__ = ["Results", "Run", "Weights", "cell_step", "hidden_size", "recur", "split_params"]


class Weights(NamedTuple):
    """Parameters of one layer and direction; H hidden, P recurrent width, gate order i, f, g, o."""

    ih: Tensor  # (4H, I)
    hh: Tensor  # (4H, P)
    bias_ih: Tensor | None  # (4H,)
    bias_hh: Tensor | None  # (4H,)
    hr: Tensor | None  # (P, H)
    static: Tensor | None  # (4H, S)

    def check(self, input: Tensor, hidden: int, width: int, suffix: str) -> None:
        """Check all shapes, dtypes and devices against a layer's input (.., I)."""
        check_floating(f"weight_ih{suffix}", self.ih)
        if self.ih.dim() == 2 and input.shape[-1] != self.ih.shape[-1]:
            raise ValueError(
                f"input: expected last size I = {self.ih.shape[-1]} as in weight_ih{suffix}, "
                f"got {describe(input)}"
            )
        rows = 4 * hidden
        check_like(f"weight_ih{suffix}", self.ih, (rows, input.shape[-1]), "(4H, I)", input)
        check_like(f"weight_hh{suffix}", self.hh, (rows, width), "(4H, P)", input)
        if (self.bias_ih is None) != (self.bias_hh is None):
            missing, given = "bias_ih", "bias_hh"
            if self.bias_hh is None:
                missing, given = given, missing
            raise ValueError(
                f"{missing}{suffix}: expected a tensor, because {given}{suffix} is given, got None"
            )
        for name, bias in (("bias_ih", self.bias_ih), ("bias_hh", self.bias_hh)):
            if bias is not None:
                check_like(name + suffix, bias, (rows,), "(4H,)", input)
        if self.hr is not None:
            check_like(f"weight_hr{suffix}", self.hr, (width, hidden), "(P, H)", input)
        if self.static is not None:
            shape = (rows, self.static.shape[-1])
            check_like(f"weight_is{suffix}", self.static, shape, "(4H, S)", input)

    @property
    def bias(self) -> Tensor | None:
        """The sum of both biases."""
        if self.bias_ih is None or self.bias_hh is None:
            return None
        return self.bias_ih + self.bias_hh


def hidden_size(weight_hh: object, suffix: str) -> int:
    """Return H of a recurrent weight (4H, P)."""
    weight = check_floating(f"weight_hh{suffix}", weight_hh)
    if weight.dim() != 2 or weight.shape[0] < 4 or weight.shape[0] % 4 or weight.shape[1] < 1:
        raise ValueError(f"weight_hh{suffix}: expected shape (4H, P), got {describe(weight)}")
    return weight.shape[0] // 4


def split_params(
    params: Sequence[Tensor],
    layers: int,
    directions: int,
    bias: bool,
    projects: bool,
    static: bool,
) -> list[Weights]:
    """Cut a flat list of parameters into one :class:`Weights` per layer and direction.

    Raises:
        ValueError: the list has another length than these options ask for.
    """
    if isinstance(params, Tensor) or not isinstance(params, Sequence):
        raise TypeError(f"params: expected a list of tensors, got {describe(params)}")
    each = 2 + 2 * bool(bias) + projects
    expected = directions * (layers * each + static)
    if len(params) != expected:
        raise ValueError(
            f"params: expected {expected} tensors for {layers} layers and {directions} directions, "
            f"got {len(params)}"
        )
    rest: Iterator[Tensor] = iter(params)
    return [
        Weights(
            next(rest),
            next(rest),
            next(rest) if bias else None,
            next(rest) if bias else None,
            next(rest) if projects else None,
            next(rest) if static and index < directions else None,
        )
        for index in range(layers * directions)
    ]


# Looked up once: a single step is short enough for look-ups to count.
_OPERATORS = {
    suffix: tuple(
        getattr(torch.ops.lrcn_fast, name + suffix).default
        for name in ("lstm_forward", "lstm_cell_forward", "lstm_windows_forward")
    )
    for suffix in ("", "_triton", "_reference")
}
_NATIVE_SCANS = torch.ops.lrcn_fast.lstm_scans_forward.default
_NATIVE_STEP = torch.ops.lrcn_fast.lstm_step.default
# Rows up to which reading the weights is what a step waits for: they are read as they lie.
_FEW_ROWS = 8
# Of so many rows: each has its own parent, and all have the only row of a table.
_EACH = [torch.arange(rows) for rows in range(_FEW_ROWS + 1)]
_ALL_ONE = [torch.zeros(rows, dtype=torch.int64) for rows in range(_FEW_ROWS + 1)]
Results = tuple[Tensor, Tensor, Tensor, Tensor]


@constant_when_traced
def _tf32_products() -> int:
    """How many TF32 products stand for one of float32 on CUDA; 0: float32 itself."""
    try:
        precision = torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set through torch.backends, for CUDA alone
        return 1 if torch.backends.cuda.matmul.fp32_precision == "tf32" else 0
    # torch allows 16 bits of mantissa for "high", which three products keep and one does not.
    return {"highest": 0, "high": 3, "medium": 1}[precision]


def cell_step(
    backend: Backend,
    weights: Weights,
    x: Tensor,
    h0: Tensor | None,
    c0: Tensor | None,
    static_gates: Tensor | None,
    needs_grad: bool,
) -> tuple[Tensor, Tensor]:
    """Return h (B, P) and c (B, H) of a step on x (B, I); packs no weight for a kernel."""
    if h0 is not None and c0 is not None and _reads_weights_once(backend, weights, x, needs_grad):
        rows = _EACH[x.shape[0]]
        bias = weights.bias
        table = None if bias is None else bias.unsqueeze(0)
        words = None if bias is None else _ALL_ONE[x.shape[0]]
        image = None if static_gates is None else rows
        h, c = _NATIVE_STEP(
            h0, c0, rows, weights.hh, x, weights.ih, table, words, static_gates, image
        )
        return h, c
    if h0 is None and needs_grad:
        # weight_hh has a gradient, of zeros, as it has after longer sequences.
        h0 = x.new_zeros((x.shape[0], weights.hh.shape[1]))
    if h0 is None:
        gates = project(x, weights.ih, weights.bias)
    else:
        gates = project(x, weights.ih, weights.bias_ih)
        gates = gates + project(h0, weights.hh, weights.bias_hh)
    if static_gates is not None:
        gates = gates + static_gates
    h, c, _ = _OPERATORS[backend.suffix][1](gates, c0)
    # The backward keeps c; a caller who resets it in place gets a copy.
    c = c.clone() if needs_grad else c
    return h if weights.hr is None else project(h, weights.hr), c


def _reads_weights_once(backend: Backend, weights: Weights, x: Tensor, needs_grad: bool) -> bool:
    """Return whether the operator of decoding steps takes this step, which is inference alone."""
    # A traced graph is for any number of rows, a subclass has rules of its own (FakeTensor), vmap
    # would run one element after the other, and autocast has no rule for the operator.
    if needs_grad or type(x) is not Tensor or torch.compiler.is_compiling() or is_transformed():
        return False
    few = 0 < x.shape[0] <= _FEW_ROWS and weights.hr is None and x.device.type == "cpu"
    return few and backend.suffix == "" and autocast_dtype("cpu") is None


@dataclass
class Run:
    """What a layer and direction needs beside its input; shapes as in functional.lstm."""

    backend: Backend
    weights: Weights
    static_gates: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    cont: Tensor | None
    lengths: Tensor | None
    reverse: bool
    batch_first: bool
    needs_grad: bool
    save_cells: bool

    def project(self, input: Tensor) -> Tensor:
        """Return the gates (T, B, 4H) of an input (T, B, I) before the recurrence."""
        ascending = self.reverse and self.needs_grad
        return project(input, self.weights.ih, self.weights.bias, ascending)

    def windows(
        self, size: int, inputs: Sequence[Tensor]
    ) -> list[tuple[Tensor | None, Tensor | None]]:
        """Return ``cont`` and ``lengths`` of each window of time.

        Args:
            size: steps of each window but the last.
            inputs: of each window.
        """
        time, count = 1 if self.batch_first else 0, len(inputs)
        starts = [None] * count if self.cont is None else self.cont.split(size, time)
        if self.lengths is None:
            return [(cont, None) for cont in starts]
        return [
            (cont, (self.lengths - n * size).clamp(0, x.shape[time]))
            for n, (cont, x) in enumerate(zip(starts, inputs, strict=True))
        ]

    def in_windows(self, input: Tensor, every: int) -> Results:
        """Return what :func:`recur` does for an input whose backward computes windows anew."""
        forward = _OPERATORS[self.backend.suffix][2]
        weights = (self.weights.ih, self.weights.bias, self.weights.hh)
        tf32 = _tf32_products() if input.device.type == "cuda" else 0
        options = (self.reverse, self.batch_first, every, tf32, self.save_cells)
        results: Results = forward(input, *weights, *_optional(self), *options)[:4]
        return results

    def step(self, input: Tensor) -> Results:
        """Return what :func:`recur` does for a sequence of a single step."""
        time = 1 if self.batch_first else 0
        h0, c0 = self.h0, self.c0
        if self.cont is not None and not self.reverse:
            carried = self.cont.select(time, 0).unsqueeze(1)
            h0 = None if h0 is None else torch.where(carried, h0, torch.zeros_like(h0))
            c0 = None if c0 is None else torch.where(carried, c0, torch.zeros_like(c0))
        x = input.select(time, 0)
        h, c = cell_step(self.backend, self.weights, x, h0, c0, self.static_gates, self.needs_grad)
        # Copies: a caller who resets a final state in place must not change the output.
        cells = c.unsqueeze(time).clone() if self.save_cells else c
        return h.unsqueeze(time).clone(), h, c, cells


def recur(runs: Sequence[Run], gates: Sequence[Tensor]) -> list[Results]:
    """Run layers and directions of which none needs another's results, on CUDA in one launch.

    Args:
        runs: of the same call, up to their weights and states.
        gates: (T, B, 4H) of each, from :meth:`Run.project`.

    Returns:
        Of each, output (T, B, P), h_n (B, P), c_n (B, H) and cells (T, B, H), or (0,) in place of
        cells that nobody asked for.
    """
    first = runs[0]
    options = (
        first.batch_first,
        first.needs_grad or any(run.save_cells for run in runs),
        first.needs_grad,
        _tf32_products() if gates[0].device.type == "cuda" else 0,
    )
    if len(runs) > 1 and first.backend.suffix == "":
        # AOTInductor passes an empty list on as None.
        spare = [gates[0].new_empty(0)] * len(runs) if torch.compiler.is_exporting() else []
        lists = _NATIVE_SCANS(
            list(gates),
            [run.weights.hh for run in runs],
            *(listed(tensors) or spare for tensors in zip(*map(_optional, runs), strict=True)),
            [run.reverse for run in runs],
            *options,
        )
        return list(zip(*lists[:4], strict=True))
    forward = _OPERATORS[first.backend.suffix][0]
    return [
        forward(x, run.weights.hh, *_optional(run), run.reverse, *options)[:4]
        for run, x in zip(runs, gates, strict=True)
    ]


def _optional(run: Run) -> tuple[Tensor | None, ...]:
    return run.weights.hr, run.static_gates, run.h0, run.c0, run.cont, run.lengths
