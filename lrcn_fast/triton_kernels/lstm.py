"""``lstm_forward`` and ``lstm_backward``: one kernel a step, two with a projection.

Half types multiply on tensor cores in float32; h and the gradients at the gates are rounded to the
storage type at every step, c and the gradient at c stay in float32 inside a call.
"""

import torch
from torch import Tensor

from lrcn_fast.triton_kernels import backward_kernels, forward_kernels
from lrcn_fast.triton_kernels.arguments import Shape, check, dense, lstm_shape, unit_stride
from lrcn_fast.triton_kernels.launch import Launches, on_device, precision, processors, tiles

__all__ = ["lstm_backward", "lstm_forward"]


def lstm_forward(
    gates: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None = None,
    static_gates: Tensor | None = None,
    h0: Tensor | None = None,
    c0: Tensor | None = None,
    cont: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    save_cells: bool = False,
    save_activations: bool = False,
    tf32: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """One layer and direction over a whole sequence; see ``reference.lstm_forward``.

    Args:
        gates: (T, B, 4H), float32, bfloat16 or float16, any strides; the others as there.
        lengths: (B,); values outside 0..T are taken for the nearer end of it.
        tf32: how float32 is multiplied: 0 as it is, 1 or 3 as so many TF32 products.

    Returns:
        output (T, B, P), h_n (B, P), c_n (B, H), cells (T, B, H) or (0,), activations (T, B, 4H)
        or (0,); all dense, none shares memory with another or an argument.

    Raises:
        ValueError: a shape or a device is wrong.
        TypeError: a dtype is wrong.
    """
    name = "lstm_forward"
    mode = precision(gates.dtype, tf32)
    shape = lstm_shape(name, "gates", gates, weight_hh, weight_hr, cont, lengths, batch_first)
    steps, batch, hidden, width = shape.steps, shape.batch, shape.hidden, shape.width
    check(name, "static_gates", static_gates, gates, (batch, 4 * hidden), "(B, 4H)")
    check(name, "h0", h0, gates, (batch, width), "(B, P)")
    check(name, "c0", c0, gates, (batch, hidden), "(B, H)")
    # The state goes back and forth between two buffers.
    states = (_state(h0, gates, width, gates.dtype, batch), gates.new_empty((batch, width)))
    cell = _state(c0, gates, hidden, torch.float32, batch)
    output = shape.sequence(gates, width)
    cells = shape.sequence(gates, hidden) if save_cells else None
    activations = shape.sequence(gates, 4 * hidden) if save_activations else None
    if batch:
        given = unit_stride(gates)
        inputs = (given, *shape.strides(given), weight_hh.contiguous(), dense(static_gates))
        starts = _starts(shape, cont)
        lengths = dense(lengths)
        saved = (output, cells, activations)
        projection = dense(weight_hr)
        unprojected = None if projection is None else gates.new_empty((batch, hidden))
        with on_device(gates):
            step, project = _forward_launches(gates, shape, projection is not None, reverse, mode)
            for number in range(steps):
                call = (steps - 1 - number if reverse else number, steps, batch)
                before, after = states[number % 2], states[1 - number % 2]
                step(*inputs, before, after, cell, unprojected, *starts, lengths, *saved, *call)
                if projection is not None:
                    project(unprojected, projection, before, after, lengths, output, *call)
    none = gates.new_empty(0)
    return (
        output,
        states[steps % 2],
        cell.to(gates.dtype),
        none if cells is None else cells,
        none.clone() if activations is None else activations,
    )


def lstm_backward(
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    grad_cells: Tensor | None,
    activations: Tensor,
    cells: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None = None,
    c0: Tensor | None = None,
    cont: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    tf32: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of :func:`lstm_forward`; see ``reference.lstm_backward``.

    Args:
        activations: (T, B, 4H), float32, bfloat16 or float16; the others as there.
        lengths: (B,); values outside 0..T are taken for the nearer end of it.
        tf32: how float32 is multiplied: 0 as it is, 1 or 3 as so many TF32 products.

    Returns:
        grad_gates (T, B, 4H), grad_h0 (B, P), grad_c0 (B, H), and with a projection grad_hidden
        (T, B, P), else (0,).

    Raises:
        ValueError: a shape or a device is wrong.
        TypeError: a dtype is wrong.
    """
    name, like = "lstm_backward", activations
    mode = precision(like.dtype, tf32)
    shape = lstm_shape(name, "activations", like, weight_hh, weight_hr, cont, lengths, batch_first)
    steps, batch, hidden, width = shape.steps, shape.batch, shape.hidden, shape.width
    letters = "(B, T, {})" if batch_first else "(T, B, {})"
    check(name, "grad_output", grad_output, like, shape.outer(width), letters.format("P"))
    check(name, "grad_h_n", grad_h_n, like, (batch, width), "(B, P)")
    check(name, "grad_c_n", grad_c_n, like, (batch, hidden), "(B, H)")
    check(name, "grad_cells", grad_cells, like, shape.outer(hidden), letters.format("H"))
    check(name, "cells", cells, like, shape.outer(hidden), letters.format("H"))
    check(name, "c0", c0, like, (batch, hidden), "(B, H)")
    grad_gates = shape.sequence(like, 4 * hidden)
    grad_h0 = like.new_empty((batch, width))
    grad_cell = _state(grad_c_n, like, hidden, torch.float32, batch)
    grad_hidden = None if weight_hr is None else shape.sequence(like, width)
    if batch:
        sent = unit_stride(grad_output)
        at_output = (sent, *shape.strides(sent), dense(grad_h_n))
        sent = unit_stride(grad_cells)
        at_cells = (sent, *shape.strides(sent))
        # The sums run along rows of the transposed weights, which lie dense in memory then.
        recurrent = weight_hh.t().contiguous()
        weight = recurrent if weight_hr is None else weight_hr.t().contiguous()
        saved = (activations.contiguous(), cells.contiguous(), weight, dense(c0))
        starts = _starts(shape, cont)
        lengths = dense(lengths)
        with on_device(like):
            projects = weight_hr is not None
            step, project, begin = _backward_launches(like, shape, projects, reverse, mode)
            for number in range(steps):
                call = (number if reverse else steps - 1 - number, steps, batch)
                if grad_hidden is not None:
                    project(*at_output, recurrent, *starts, lengths, grad_hidden, grad_gates, *call)
                grads = (lengths, grad_hidden, grad_cell, grad_gates)
                step(*at_output, *at_cells, *saved, *starts, *grads, *call)
            begin(at_output[3], recurrent, *starts, lengths, grad_gates, grad_h0, steps, batch)
    return (
        grad_gates,
        grad_h0,
        grad_cell.to(like.dtype),
        like.new_empty(0) if grad_hidden is None else grad_hidden,
    )


def _state(
    given: Tensor | None, like: Tensor, features: int, dtype: torch.dtype, batch: int
) -> Tensor:
    """A dense buffer (B, features) to overwrite, with the state that was given, or zeros."""
    if given is None:
        return like.new_zeros((batch, features), dtype=dtype)
    return given.to(dtype, copy=True, memory_format=torch.contiguous_format)


def _starts(shape: Shape, cont: Tensor | None) -> tuple[Tensor | None, int, int]:
    """``cont`` as bytes, with its strides."""
    return (None if cont is None else cont.view(torch.uint8), *shape.strides(cont))


def _forward_launches(
    like: Tensor, shape: Shape, projected: bool, reverse: bool, mode: str
) -> tuple[Launches, Launches]:
    hidden, width = shape.hidden, shape.width
    device = (like.itemsize, mode, processors(like))
    step = Launches(
        forward_kernels.forward_step,
        tiles(shape.batch, hidden, width, 4, *device),
        (hidden, width, projected, reverse, shape.batch_first, mode),
    )
    project = Launches(
        forward_kernels.projection_step,
        tiles(shape.batch, width, hidden, 1, *device),
        (hidden, width, shape.batch_first, mode),
    )
    return step, project


def _backward_launches(
    like: Tensor, shape: Shape, projected: bool, reverse: bool, mode: str
) -> tuple[Launches, Launches, Launches]:
    hidden, width = shape.hidden, shape.width
    device = (like.itemsize, mode, processors(like))
    options = (reverse, shape.batch_first, mode)
    step = Launches(
        backward_kernels.backward_step,
        tiles(shape.batch, hidden, width if projected else 4 * hidden, 1, *device),
        (hidden, width, projected, *options),
    )
    along = tiles(shape.batch, width, 4 * hidden, 1, *device)
    project = Launches(backward_kernels.hidden_step, along, (hidden, width, *options))
    begin = Launches(backward_kernels.initial_step, along, (hidden, width, *options))
    return step, project, begin
