"""``lstm`` and ``lstm_cell``: an LSTM over whole sequences, and one step of it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as torch_functional

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast._arguments import (
    autocast_dtype,
    check_cont,
    check_count,
    check_floating,
    check_lengths,
    check_like,
    check_number,
    check_pair,
    check_recompute_every,
    describe,
    is_transformed,
    needs_gradient,
)
from lrcn_fast._direction import Run, Weights, cell_step, hidden_size, recur, split_params
from lrcn_fast.backends import Backend, LstmSpec, choose
from lrcn_fast.functional._columns import choose_columns, in_columns, may_fill_columns
from lrcn_fast.functional._wavefront import choose_window, wavefront
from lrcn_fast.ops.linear import project

__all__ = ["check_layers", "choose_backend", "lstm", "lstm_cell", "stacked"]


def lstm(
    input: Tensor,
    hx: tuple[Tensor, Tensor] | None,
    params: Sequence[Tensor],
    *,
    num_layers: int = 1,
    bias: bool = True,
    batch_first: bool = False,
    dropout: float = 0.0,
    training: bool = False,
    bidirectional: bool = False,
    proj_size: int = 0,
    cont: Tensor | None = None,
    static: Tensor | None = None,
    lengths: Tensor | None = None,
    return_cells: bool = False,
    recompute_every: int | None = None,
    backend: str | None = None,
) -> tuple[Any, ...]:
    """Run a multi-layer LSTM over whole sequences (LRCN section 2; Caffe's LSTM layer).

    T steps, B batch, I input size, H hidden size, P projection size or H, S static size, L layers,
    D directions. With ``batch_first`` every (T, B, ..) below is (B, T, ..).

    Args:
        input: (T, B, I), floating, T >= 1.
        hx: initial h (L*D, B, P) and c (L*D, B, H); zeros when None.
        params: for each layer and direction ``weight_ih`` (4H, I or D*P), ``weight_hh`` (4H, P),
            with ``bias`` ``bias_ih`` and ``bias_hh`` (4H,), with ``proj_size`` ``weight_hr``
            (P, H), and for layer 0, when ``static`` is given, ``weight_is`` (4H, S).
            Gate order i, f, g, o.
        num_layers: L.
        bias: whether ``params`` has biases.
        batch_first: layout of input, output, cont and cells.
        dropout: probability with which outputs of all layers but the last are dropped in training.
        training: whether dropout acts.
        bidirectional: D = 2: a second direction goes from each row's last step to its first.
        proj_size: P, or 0 for no projection.
        cont: (T, B), bool or number. Where it is zero the step starts a new sequence: the previous
            h and c are replaced by zeros, also at t = 0, where they come from ``hx``. The reverse
            direction is cleared when it leaves the sequence that starts there.
        static: (B, S), projected once and added to layer 0's gates at every step (x_static).
        lengths: (B,) integers within 0..T on any device: steps past a row's length do not exist.
            Their output and cells are zero, h_n and c_n are those of the last step that exists.
        return_cells: also return the last layer's cell states.
        recompute_every: steps k of a window: for the backward keep of each layer its input and the
            states at the borders of windows, and compute the rest of a window anew when its turn
            comes. None keeps everything, and so do ``torch.export``, torch.func and forward mode.
            What differs by rounding is in docs/numerics.md.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Returns:
        output (T, B, D*P), (h_n (L*D, B, P), c_n (L*D, B, H)), and with ``return_cells`` the cell
        states of the last layer (T, B, D*H).

    Raises:
        ValueError: a shape, device or value is wrong.
        TypeError: a dtype is wrong.
        RuntimeError: the backend asked for cannot run the call.
    """
    check_floating("input", input)
    letters = "(B, T, I)" if batch_first else "(T, B, I)"
    if input.dim() != 3:
        raise ValueError(f"input: expected 3 dimensions {letters}, got {describe(input)}")
    batch, steps = input.shape[:2] if batch_first else (input.shape[1], input.shape[0])
    if steps < 1:
        raise ValueError(f"input: expected at least one step in {letters}, got {describe(input)}")
    check_count("num_layers", num_layers, 1)
    if not 0 <= check_number("dropout", dropout) <= 1:
        raise ValueError(f"dropout: expected a probability within 0..1, got {dropout}")
    check_count("proj_size", proj_size, 0)
    check_recompute_every(recompute_every)
    directions = 2 if bidirectional else 1
    layers = split_params(params, num_layers, directions, bias, proj_size > 0, static is not None)
    hidden = hidden_size(layers[0].hh, "_l0")
    width = proj_size or hidden
    h0, c0 = _check_states(input, hx, num_layers * directions, batch, width, hidden)
    starts = None
    if cont is not None:
        shape, words = ((batch, steps), "(B, T)") if batch_first else ((steps, batch), "(T, B)")
        starts = check_cont(cont, shape, words, input)
    if lengths is not None:
        lengths = check_lengths(lengths, batch, steps, input)
    if static is not None and layers[0].static is not None:
        check_like("static", static, (batch, layers[0].static.shape[-1]), "(B, S)", input)
    chosen = choose_backend(input, hidden, proj_size, backend)
    check_layers(layers, directions, input, hidden, width)

    tensors = (input, static, h0, c0, *params)
    needs_grad = needs_gradient(tensors)
    drops = dropout > 0 and training
    plain = hx is None and static is None and not drops and recompute_every is None
    if lengths is not None and plain and may_fill_columns(input):
        rows = (starts, lengths, batch_first)
        options = (needs_grad, return_cells)
        found = _in_columns(input, layers, directions, chosen, *rows, *options)
        if found is not None:
            return stacked(*found, return_cells)
    output = input
    if lengths is not None and needs_grad:
        output = _zero_past(lengths, input, batch_first)
    runs = [
        Run(
            backend=chosen,
            weights=weights,
            static_gates=_static_gates(static, weights),
            h0=None if h0 is None else h0[index],
            c0=None if c0 is None else c0[index],
            cont=starts,
            lengths=lengths,
            reverse=index % directions == 1,
            batch_first=batch_first,
            needs_grad=needs_grad,
            save_cells=return_cells and index >= (num_layers - 1) * directions,
        )
        for index, weights in enumerate(layers)
    ]
    single = steps == 1 and lengths is None and not torch.compiler.is_exporting()
    recomputes = recompute_every is not None and needs_grad and not torch.compiler.is_exporting()
    recomputes = recomputes and not is_transformed()
    window = 0
    if num_layers > 1 and not (recomputes or single or drops or bidirectional or proj_size):
        window = choose_window(runs, input)
    if window:
        output, h_n, c_n, last_cells = wavefront(runs, output, window)
        return stacked(output, h_n, c_n, [last_cells], return_cells)
    h_n, c_n = [], []
    cells: Sequence[Tensor] = ()
    for first in range(0, len(runs), directions):
        layer = runs[first : first + directions]
        if single:
            results = [run.step(output) for run in layer]
        elif recompute_every is not None and recomputes:
            results = [run.in_windows(output, recompute_every) for run in layer]
        else:
            results = recur(layer, [run.project(output) for run in layer])
        outputs, h, c, cells = zip(*results, strict=True)
        h_n += h
        c_n += c
        output = outputs[0] if directions == 1 else torch.cat(outputs, 2)
        if drops and first + directions < len(runs):
            output = torch_functional.dropout(output, dropout)
    return stacked(output, h_n, c_n, cells, return_cells)


def lstm_cell(
    input: Tensor,
    hx: tuple[Tensor, Tensor] | None,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    backend: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one LSTM step.

    Args:
        input: (B, I), floating.
        hx: previous h (B, H) and c (B, H); zeros when None.
        weight_ih: (4H, I), gate order i, f, g, o.
        weight_hh: (4H, H).
        bias_ih: (4H,), given together with ``bias_hh`` or not at all.
        bias_hh: (4H,).
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Returns:
        h (B, H) and c (B, H).

    Raises:
        ValueError: a shape or device is wrong, or one bias is given without the other.
        TypeError: a dtype is wrong.
        RuntimeError: the backend asked for cannot run the call.
    """
    check_floating("input", input)
    if input.dim() != 2:
        raise ValueError(f"input: expected 2 dimensions (B, I), got {describe(input)}")
    check_floating("weight_ih", weight_ih)
    hidden = hidden_size(weight_hh, "")
    weights = Weights(weight_ih, weight_hh, bias_ih, bias_hh, None, None)
    weights.check(input, hidden, hidden, "")
    batch = input.shape[0]
    h0, c0 = (None, None) if hx is None else check_pair(hx)
    for name, state in (("hx[0]", h0), ("hx[1]", c0)):
        if state is not None:
            check_like(name, state, (batch, hidden), "(B, H)", input)
    needs_grad = needs_gradient((input, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh))
    chosen = choose_backend(input, hidden, 0, backend)
    return cell_step(chosen, weights, input, h0, c0, None, needs_grad)


def _in_columns(
    input: Tensor,
    layers: list[Weights],
    directions: int,
    backend: Backend,
    cont: Tensor | None,
    lengths: Tensor,
    batch_first: bool,
    needs_grad: bool,
    return_cells: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]] | None:
    outer = input.shape[:2]

    def number() -> Tensor:
        frames = torch.arange(outer.numel(), device=lengths.device).view(outer)
        return frames.t() if batch_first else frames

    columns = choose_columns(
        lengths,
        (outer[1], outer[0]) if batch_first else (outer[0], outer[1]),
        number,
        outer.numel(),
        layers[0],
        backend,
        None if cont is None else cont.flatten(),
        # Inference has a third of the products, and the same copies of its outputs.
        1 if needs_grad else 32,
    )
    if columns is None:
        return None
    data = input.flatten(0, 1)
    options = (needs_grad, return_cells)
    output, h_n, c_n, cells = in_columns(columns, data, layers, directions, backend, *options)
    return output.unflatten(0, outer), h_n, c_n, [x.unflatten(0, outer) for x in cells]


def stacked(
    output: Tensor,
    h_n: list[Tensor],
    c_n: list[Tensor],
    cells: Sequence[Tensor],
    return_cells: bool,
) -> tuple[Any, ...]:
    """Return what :func:`lstm` does, of the states of all layers and directions."""
    result = (output, (_stack(h_n), _stack(c_n)))
    if not return_cells:
        return result
    return (*result, cells[0] if len(cells) == 1 else torch.cat(tuple(cells), -1))


def _stack(states: list[Tensor]) -> Tensor:
    return states[0].unsqueeze(0) if len(states) == 1 else torch.stack(states)


def choose_backend(input: Tensor, hidden: int, proj_size: int, requested: str | None) -> Backend:
    """Return the backend for calls like this one; ``requested`` is a name or None."""
    device_type = input.device.type
    dtype = autocast_dtype(device_type) or input.dtype
    return choose(LstmSpec(device_type, dtype, hidden, proj_size), requested)


def check_layers(
    layers: list[Weights], directions: int, input: Tensor, hidden: int, width: int
) -> None:
    """Check all weights against an input (.., I)."""
    for index, weights in enumerate(layers):
        layer, direction = divmod(index, directions)
        if index == directions:
            # What the layers after the first get.
            input = input.new_empty(()).expand(*input.shape[:-1], directions * width)
        weights.check(input, hidden, width, f"_l{layer}{'_reverse' if direction else ''}")


def _static_gates(static: Tensor | None, weights: Weights) -> Tensor | None:
    if static is None or weights.static is None:
        return None
    return project(static, weights.static)


def _check_states(
    input: Tensor,
    hx: tuple[Tensor, Tensor] | None,
    count: int,
    batch: int,
    width: int,
    hidden: int,
) -> tuple[Tensor | None, Tensor | None]:
    if hx is None:
        return None, None
    h0, c0 = check_pair(hx)
    check_like("hx[0]", h0, (count, batch, width), "(L*D, B, P)", input)
    check_like("hx[1]", c0, (count, batch, hidden), "(L*D, B, H)", input)
    return h0, c0


def _zero_past(lengths: Tensor, input: Tensor, batch_first: bool) -> Tensor:
    # What lies past the lengths may be anything, NaN too: it must not reach a weight's gradient.
    steps = torch.arange(input.shape[1 if batch_first else 0], device=input.device)
    inside = steps < lengths[:, None] if batch_first else steps[:, None] < lengths
    return torch.where(inside.unsqueeze(2), input, torch.zeros_like(input))
