"""``lrcn_fast::lstm_windows_forward`` and ``_backward``: native, ``_triton`` and ``_reference``.

One layer in one direction in windows of time: its input product and its scan, of which only the
states at the borders of windows are kept. The backward computes a window anew when its turn comes.

Windows lie in blocks. A block is whole pieces of :mod:`lrcn_fast.ops._pieces`, so that products and
sums over it are bit for bit those that ``linear`` and ``lstm_forward`` form of all steps at once.
"""

import functools
import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lrcn_fast.ops import _library
from lrcn_fast.ops._lstm_derivatives import before_projection, previous_states
from lrcn_fast.ops._pieces import piece_steps, step_cuts, without_first_step
from lrcn_fast.ops.linear import multiply, project, row_sum, weight_gradient
from lrcn_fast.ops.lstm import scan_cuts, static_gradient

__all__: list[str] = []

_ARGUMENTS = (
    "Tensor input, Tensor weight_ih, Tensor? bias, Tensor weight_hh, Tensor? weight_hr, "
    "Tensor? static_gates, Tensor? h0, Tensor? c0, Tensor? cont, Tensor? lengths, bool reverse, "
    "bool batch_first, int every, int tf32"
)
_FORWARD = (
    f"({_ARGUMENTS}, bool save_cells) -> "
    "(Tensor output, Tensor h_n, Tensor c_n, Tensor cells, Tensor border_h, Tensor border_c)"
)
_BACKWARD = (
    f"({_ARGUMENTS}, Tensor border_h, Tensor border_c, Tensor? grad_output, Tensor? grad_h_n, "
    "Tensor? grad_c_n, Tensor? grad_cells, bool[] needs) -> "
    "(Tensor grad_input, Tensor grad_weight_ih, Tensor grad_bias, Tensor grad_weight_hh, "
    "Tensor grad_weight_hr, Tensor grad_static, Tensor grad_h0, Tensor grad_c0)"
)
_DIFFERENTIABLE, _TENSORS = 8, 10


@dataclass(frozen=True)
class _Layer:
    """The arguments of both operators, in their order; shapes as in functional.lstm."""

    input: Tensor
    weight_ih: Tensor
    bias: Tensor | None
    weight_hh: Tensor
    weight_hr: Tensor | None
    static_gates: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    cont: Tensor | None
    lengths: Tensor | None
    reverse: bool
    batch_first: bool
    every: int
    tf32: int

    @property
    def time(self) -> int:
        return 1 if self.batch_first else 0

    @property
    def steps(self) -> int:
        return self.input.shape[self.time]

    @property
    def batch(self) -> int:
        return self.input.shape[1 - self.time]

    @property
    def block_steps(self) -> int:
        """Whole pieces, and no fewer steps than a window has."""
        piece = piece_steps(self.batch, self.input) or self.every
        return -(-self.every // piece) * piece

    @property
    def border_count(self) -> int:
        """One less than there are windows."""
        blocks = max(1, self.steps // self.block_steps)
        last = self.steps - (blocks - 1) * self.block_steps
        return (blocks - 1) * -(-self.block_steps // self.every) + -(-last // self.every) - 1

    def blocks(self) -> list[list[tuple[int, int]]]:
        """First step and end of each window of each block, as the scan comes to them."""
        cuts = step_cuts(self.steps, self.block_steps)
        found = []
        for begin, end in itertools.pairwise(cuts):
            starts = range(begin, end, self.every)
            found.append([(start, min(start + self.every, end)) for start in starts])
        return [block[::-1] for block in found[::-1]] if self.reverse else found

    def of(self, sequence: Tensor, begin: int, end: int) -> Tensor:
        return sequence.narrow(self.time, begin, end - begin)

    def cont_and_lengths(self, begin: int, end: int) -> tuple[Tensor | None, Tensor | None]:
        cont = None if self.cont is None else self.of(self.cont, begin, end)
        if self.lengths is None:
            return cont, None
        return cont, (self.lengths - begin).clamp(0, end - begin)

    def project(self, begin: int, end: int) -> Tensor:
        """Return the gates (T', B, 4H) of some steps before the recurrence."""
        x = self.of(self.input, begin, end)
        # As of a dense sequence, whose windows are not dense where batches come first.
        x = x.contiguous() if self.input.is_contiguous() else x
        return self.multiply(x, self.weight_ih, self.bias)

    def multiply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return a product with some of all rows, by the library that all rows would take."""
        return multiply(x, weight, bias, self.steps * self.batch)

    def scan(
        self,
        operator: Callable[..., tuple[Tensor, ...]],
        gates: Tensor,
        window: tuple[int, int],
        states: tuple[Tensor | None, Tensor | None],
        save_cells: bool,
        save_activations: bool,
    ) -> tuple[Tensor, ...]:
        weights = (self.weight_hh, self.weight_hr, self.static_gates)
        rows = self.cont_and_lengths(*window)
        options = (self.reverse, self.batch_first, save_cells, save_activations, self.tf32)
        return operator(gates, *weights, *states, *rows, *options)

    def carried(self, window: tuple[int, int]) -> Tensor | None:
        """Rows (B, 1) whose states a reverse scan takes out of a window; None for all."""
        if not self.reverse or self.cont is None:
            return None
        carried = self.cont.select(self.time, window[0])
        if self.lengths is not None:
            # Rows that have not begun.
            carried = carried | (self.lengths <= window[0])
        return carried.unsqueeze(1)


_ARGUMENT_COUNT = len(fields(_Layer))
_NAMES = [field.name for field in fields(_Layer)[:_DIFFERENTIABLE]]


def _mask(carried: Tensor | None, state: Tensor) -> Tensor:
    return state if carried is None else torch.where(carried, state, torch.zeros_like(state))


def _fake_forward(*arguments: Any) -> tuple[Tensor, ...]:
    layer, save_cells = _Layer(*arguments[:_ARGUMENT_COUNT]), arguments[_ARGUMENT_COUNT]
    new, outer = layer.input.new_empty, layer.input.shape[:2]
    hidden, width = layer.weight_hh.shape[0] // 4, layer.weight_hh.shape[1]
    batch, borders = layer.batch, layer.border_count
    return (
        new((*outer, width)),
        new((batch, width)),
        new((batch, hidden)),
        new((*outer, hidden) if save_cells else (0,)),
        new((borders, batch, width)),
        new((borders, batch, hidden)),
    )


def _forward(suffix: str, *arguments: Any) -> tuple[Tensor, ...]:
    layer, save_cells = _Layer(*arguments[:_ARGUMENT_COUNT]), arguments[_ARGUMENT_COUNT]
    operator = getattr(torch.ops.lrcn_fast, "lstm_forward" + suffix).default
    output, h_n, c_n, all_cells, border_h, border_c = _fake_forward(*arguments)
    h, c = layer.h0, layer.c0
    number = 0
    for windows in layer.blocks():
        begin, end = min(windows)[0], max(windows)[1]
        gates = layer.project(begin, end)
        for window in windows:
            part = layer.of(gates, window[0] - begin, window[1] - begin)
            found, h, c, cells, _ = layer.scan(operator, part, window, (h, c), save_cells, False)
            layer.of(output, *window).copy_(found)
            if save_cells:
                layer.of(all_cells, *window).copy_(cells)
            h_n, c_n = h, c
            if number < len(border_h):
                h, c = _mask(layer.carried(window), h), _mask(layer.carried(window), c)
                border_h[number], border_c[number] = h, c
            number += 1
    return output, h_n, c_n, all_cells, border_h, border_c


def _fake_backward(*arguments: Any) -> tuple[Tensor, ...]:
    given, needs = arguments[:_DIFFERENTIABLE], arguments[-1]
    none = arguments[0].new_empty
    return tuple(
        torch.empty_like(x, memory_format=torch.contiguous_format) if need else none((0,))
        for x, need in zip(given, needs, strict=True)
    )


class _Block(NamedTuple):
    """What the backward finds in a block of T' steps."""

    begin: int
    end: int
    # Whether the scan begins here.
    is_first: bool
    # With which the scan comes, (B, P).
    h: Tensor | None
    grad_gates: Tensor  # (T', B, 4H)
    states: Tensor  # (T', B, P)
    # Where there is a projection, else (0,): (T', B, P), and (T', B, H) what it projected.
    grad_hidden: Tensor
    hidden: Tensor


def _blocks_from_last(
    suffix: str,
    layer: _Layer,
    borders: tuple[Tensor, Tensor],
    grad_sequences: tuple[Tensor | None, Tensor | None],
    grad_states: list[Any],
) -> Iterator[_Block]:
    """Compute the blocks anew, against the scan.

    Args:
        grad_sequences: at the output and at the cells.
        grad_states: at h and c, with which the scan ends; in the end those with which it begins.
    """
    forward, backward = (
        getattr(torch.ops.lrcn_fast, name + suffix).default
        for name in ("lstm_forward", "lstm_backward")
    )
    number = len(borders[0])
    for windows in layer.blocks()[::-1]:
        begin, end = min(windows)[0], max(windows)[1]
        gates = layer.project(begin, end)
        found: list[tuple[Tensor, ...]] = []
        for window in windows[::-1]:
            if number < len(borders[0]):
                grad_states[:] = [_mask(layer.carried(window), grad) for grad in grad_states]
            number -= 1
            h, c = (x[number] for x in borders) if number >= 0 else (layer.h0, layer.c0)
            part = layer.of(gates, window[0] - begin, window[1] - begin)
            states, _, _, cells, activations = layer.scan(forward, part, window, (h, c), True, True)
            at_output, at_cells = (
                None if grad is None else layer.of(grad, *window) for grad in grad_sequences
            )
            rows = layer.cont_and_lengths(*window)
            grad_gates, *grad_states[:], grad_hidden = backward(
                at_output,
                *grad_states,
                at_cells,
                activations,
                cells,
                layer.weight_hh,
                layer.weight_hr,
                c,
                *rows,
                layer.reverse,
                layer.batch_first,
                layer.tf32,
            )
            projects = layer.weight_hr is not None
            hidden = before_projection(activations, cells) if projects else grad_hidden
            found.append((grad_gates, states, grad_hidden, hidden))
        in_time = found if layer.reverse else found[::-1]
        joined = (_join(parts, layer.time) for parts in zip(*in_time, strict=True))
        yield _Block(begin, end, number < 0, h, *joined)


def _join(parts: tuple[Tensor, ...], time: int) -> Tensor:
    return parts[0] if len(parts) == 1 or parts[0].dim() == 1 else torch.cat(parts, time)


def _backward(suffix: str, *arguments: Any) -> tuple[Tensor, ...]:
    layer = _Layer(*arguments[:_ARGUMENT_COUNT])
    border_h, border_c, grad_output, grad_h, grad_c, grad_cells, needs = arguments[_ARGUMENT_COUNT:]
    needed = [name for name, need in zip(_NAMES, needs, strict=True) if need]
    results = _fake_backward(*arguments)
    totals = _Totals(layer)
    grad_states = [grad_h, grad_c]
    # The scans compute in the dtype of the forward, wherever the backward is called.
    with torch.autocast(layer.input.device.type, enabled=False):
        for block in _blocks_from_last(
            suffix, layer, (border_h, border_c), (grad_output, grad_cells), grad_states
        ):
            totals.add_block(block, needed)
            if "input" in needed:
                at_input = layer.multiply(block.grad_gates, layer.weight_ih.t())
                layer.of(results[0], block.begin, block.end).copy_(at_input)
    found = {**totals.found, "h0": grad_states[0], "c0": grad_states[1]}
    for name, result in zip(_NAMES[1:], results[1:], strict=True):
        if name in needed:
            result.copy_(found[name])
    return results


class _Totals:
    """The gradients that are sums over time, by the arguments that they are at."""

    def __init__(self, layer: _Layer) -> None:
        self.layer = layer
        # Half types are summed in float32.
        self.is_half = layer.input.dtype not in (torch.float32, torch.float64)
        self.found: dict[str, Tensor] = {}

    def add_block(self, block: _Block, needed: Container[str]) -> None:
        layer, cuts = self.layer, scan_cuts(block.grad_gates, self.layer.batch_first)
        rows = block.grad_gates.flatten(0, 1)
        if "weight_ih" in needed:
            inputs = layer.of(layer.input, block.begin, block.end).flatten(0, 1)
            self._add("weight_ih", weight_gradient, rows, inputs, cuts)
        if "bias" in needed:
            self._add("bias", row_sum, rows, cuts)
        if "weight_hh" in needed:
            self._add_at_weight_hh(block, cuts)
        if "weight_hr" in needed:
            at_states, hidden = block.grad_hidden.flatten(0, 1), block.hidden.flatten(0, 1)
            self._add("weight_hr", weight_gradient, at_states, hidden, cuts)
        if "static_gates" in needed:
            self._add("static_gates", static_gradient, block.grad_gates, layer.batch_first, cuts)

    def _add_at_weight_hh(self, block: _Block, cuts: list[int]) -> None:
        layer, reverse = self.layer, self.layer.reverse
        cont, lengths = layer.cont_and_lengths(block.begin, block.end)
        rows = (cont, lengths, reverse, layer.batch_first)
        previous = previous_states(block.states, block.h, *rows)
        pair = block.grad_gates, previous
        # lstm_forward's own gradient has the first step as a product by itself.
        plain = cont is None and lengths is None and not layer.batch_first
        apart = block.is_first and plain and not self.is_half
        if apart:
            others = slice(None, -1) if reverse else slice(1, None)
            pair = block.grad_gates[others], previous[others]
            cuts = without_first_step(cuts, layer.batch, reverse)
        self._add("weight_hh", weight_gradient, *(x.flatten(0, 1) for x in pair), cuts)
        if apart and block.h is not None:
            first = block.grad_gates[-1 if reverse else 0]
            self.found["weight_hh"].addmm_(first.t(), block.h)

    def _add(self, name: str, form: Callable[..., Tensor], *arguments: Any) -> None:
        total = self.found.get(name)
        if self.is_half:
            part = form(*arguments, self.layer.reverse).float()
            self.found[name] = part if total is None else total.add_(part)
        else:
            self.found[name] = form(*arguments, self.layer.reverse, total)


def _gradient(
    backward: Any,
    ctx: Any,
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    grad_cells: Tensor | None,
    *unused: None,
) -> tuple[Tensor | None, ...]:
    *tensors, border_h, border_c = ctx.saved_tensors
    needs = list(ctx.needs_input_grad[:_DIFFERENTIABLE])
    grads = (grad_output, grad_h_n, grad_c_n, grad_cells)
    if torch.is_grad_enabled():
        at_tensors = _differentiable_gradient(backward, tensors, ctx.options, needs, grads)
    else:
        found = backward(*tensors, *ctx.options, border_h, border_c, *grads, needs)
        at_tensors = [grad if need else None for grad, need in zip(found, needs, strict=True)]
    return (*at_tensors, *[None] * (_ARGUMENT_COUNT + 1 - _DIFFERENTIABLE))


def _differentiable_gradient(
    backward: Any,
    tensors: list[Tensor | None],
    options: Sequence[Any],
    needs: list[bool],
    grads: tuple[Tensor | None, ...],
) -> list[Tensor | None]:
    """The gradients that can be differentiated again: of all steps at once, which are kept."""
    # Others than the caller's: a weight may have a part in the input too.
    own = [None if x is None else x.view_as(x) for x in tensors]
    layer = _Layer(*own, *options)  # type: ignore[arg-type]
    suffix = backward._opname.removeprefix("lstm_windows_backward")
    operator = getattr(torch.ops.lrcn_fast, "lstm_forward" + suffix).default
    gates = project(layer.input, layer.weight_ih, layer.bias, layer.reverse)
    window, states = (0, layer.steps), (layer.h0, layer.c0)
    results = layer.scan(operator, gates, window, states, True, True)
    pairs = [(x, grad) for x, grad in zip(results, grads) if grad is not None]
    if not pairs:
        return [None] * len(needs)
    wanted = [x for x, need in zip(own, needs) if need and x is not None]
    found = iter(
        torch.autograd.grad(
            [x for x, _ in pairs],
            wanted,
            [grad for _, grad in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(found) if need else None for need in needs]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    tensors, ctx.options = inputs[:_TENSORS], inputs[_TENSORS:_ARGUMENT_COUNT]
    borders = output[-2:]
    ctx.save_for_backward(*tensors, *borders)
    ctx.set_materialize_grads(False)
    # Saved for the backward alone.
    ctx.mark_non_differentiable(*borders)


_SUFFIXES = ("", "_triton", "_reference")
_library.define_both(
    "lstm_windows",
    _library.Half(
        _FORWARD,
        _fake_forward,
        {suffix: functools.partial(_forward, suffix) for suffix in _SUFFIXES},
    ),
    _library.Half(
        _BACKWARD,
        _fake_backward,
        {suffix: functools.partial(_backward, suffix) for suffix in _SUFFIXES},
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    reference="lstm",
)
