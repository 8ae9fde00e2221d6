"""``lrcn_fast::lstm_scans_forward`` and ``lstm_scans_backward``: native and ``_reference``.

Several scans in one call, of which none needs another's results: on CUDA one launch takes as many
of them as the plan says. Each is what ``lstm_forward`` makes of it alone. See
:mod:`lrcn_fast.reference.lstm_scans` for the lists.
"""

import functools
from typing import Any

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library
from lrcn_fast.ops._autograd import has_gradient, make_duals, unpack_duals
from lrcn_fast.ops._lstm_derivatives import (
    Saved,
    backward_gradients,
    forward_tangents,
    inject,
    plus,
)
from lrcn_fast.ops.lstm import (
    BACKWARD_ROWS,
    FORWARD_ROWS,
    fake_backward,
    fake_forward,
    gradients,
    only_asked_for,
)
from lrcn_fast.reference.lstm_scans import listed, lists_of, tensor_at

__all__: list[str] = []

# Without defaults: the gradient of lists has to have the form of the arguments as they were given.
_FORWARD = (
    "(Tensor[] gates, Tensor[] weight_hh, Tensor[] weight_hr, Tensor[] static_gates, Tensor[] h0, "
    "Tensor[] c0, Tensor[] cont, Tensor[] lengths, bool[] reverse, bool batch_first, "
    "bool save_cells, bool save_activations, int tf32) -> "
    "(Tensor[] output, Tensor[] h_n, Tensor[] c_n, Tensor[] cells, Tensor[] activations)"
)
_BACKWARD = (
    "(Tensor[] grad_output, Tensor[] grad_h_n, Tensor[] grad_c_n, Tensor[] grad_cells, "
    "Tensor[] activations, Tensor[] cells, Tensor[] weight_hh, Tensor[] weight_hr, Tensor[] c0, "
    "Tensor[] cont, Tensor[] lengths, bool[] reverse, bool batch_first, int tf32) -> "
    "(Tensor[] grad_gates, Tensor[] grad_h0, Tensor[] grad_c0, Tensor[] grad_hidden)"
)


def _fake_forward(
    gates: list[Tensor], weight_hh: list[Tensor], *others: Any
) -> tuple[list[Tensor], ...]:
    names = ("batch_first", "save_cells", "save_activations")
    options = dict(zip(names, others[7:]))
    return lists_of([fake_forward(*scan, **options) for scan in zip(gates, weight_hh)])


def _fake_backward(*arguments: Any) -> tuple[list[Tensor], ...]:
    activations, cells, weight_hh, weight_hr = arguments[4:8]
    return lists_of(
        [
            fake_backward(
                None, None, None, None, *scan, tensor_at(weight_hr, n), batch_first=arguments[12]
            )
            for n, scan in enumerate(zip(activations, cells, weight_hh))
        ]
    )


def _saved_scans(inputs: tuple[Any, ...], output: tuple[list[Tensor], ...]) -> list[Saved]:
    _, weight_hh, weight_hr, _, h0, c0, cont, lengths, *_ = inputs
    states, _, _, cells, activations = output
    optional = (weight_hr, h0, c0, cont, lengths)
    return [
        Saved._make(
            [weight, *(tensor_at(x, n) for x in optional), states[n], cells[n], activations[n]]
        )
        for n, weight in enumerate(weight_hh)
    ]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[list[Tensor], ...]) -> None:
    ctx.reverse, ctx.batch_first, _, _, ctx.tf32 = inputs[8:]
    scans = _saved_scans(inputs, output)
    ctx.save_for_backward(*(tensor for saved in scans for tensor in saved))
    ctx.given = [len(x) for x in inputs[:8]]
    ctx.set_materialize_grads(False)


def _gradient(backward: Any, ctx: Any, *grads: list[Tensor | None]) -> tuple[Any, ...]:
    flat, each = ctx.saved_tensors, len(Saved._fields)
    scans = [Saved(*flat[first : first + each]) for first in range(0, len(flat), each)]
    for saved in scans:
        saved.check("lstm_scans_forward")
    needs = [
        [bool(need) and need[n] for need in ctx.needs_input_grad[:6]] for n in range(len(scans))
    ]
    injected = [
        inject(saved, reverse, ctx.batch_first, grad)
        for saved, reverse, grad in zip(scans, ctx.reverse, grads[4], strict=True)
    ]
    at_output = [
        grad if more is None else plus(grad, more.output)
        for grad, more in zip(grads[0], injected, strict=True)
    ]
    names = ("activations", "cells", "weight_hh", "weight_hr", "c0", "cont", "lengths")
    kept = [listed([getattr(saved, name) for saved in scans]) for name in names]
    lists = [at_output, *grads[1:4]]
    at_scans = backward(*map(listed, lists), *kept, ctx.reverse, ctx.batch_first, ctx.tf32)
    found = []
    for n, (saved, reverse) in enumerate(zip(scans, ctx.reverse, strict=True)):
        at_scan = [results[n] for results in at_scans]
        found.append(gradients(needs[n], saved, reverse, ctx.batch_first, at_scan, injected[n]))
    by_argument = [
        list(column) if given else [] for column, given in zip(zip(*found, strict=True), ctx.given)
    ]
    unneeded = [[None] * given for given in ctx.given[6:]]
    return (*by_argument, *unneeded, *[None] * 5)


def _forward_mode(operator: Any, *arguments: Any) -> tuple[list[Tensor], ...]:
    if has_gradient(arguments):
        # A backward that reads primals alone would lose their tangents.
        return _reference_forward(*arguments)
    lists = [unpack_duals(tensors) for tensors in arguments[:6]]
    primals = [values for values, _ in lists]
    cont, lengths, reverse, batch_first, save_cells, save_activations, tf32 = arguments[6:]
    inputs = (*primals, cont, lengths, reverse, batch_first, True, True, tf32)
    results = operator(*inputs)
    found = []
    for n, saved in enumerate(_saved_scans(inputs, results)):
        tangents = [tangents[n] if tangents else None for _, tangents in lists]
        found.append(forward_tangents(saved, reverse[n], batch_first, tangents))
    duals = [
        make_duals([values[n] for values in results], tangents) for n, tangents in enumerate(found)
    ]
    asked = (save_cells, save_activations)
    return lists_of([[*each[:3], *only_asked_for(each[3:], asked)] for each in duals])


def _setup_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[list[Tensor], ...]) -> None:
    *lists, ctx.reverse, ctx.batch_first, _ = inputs
    ctx.given = [len(tensors) for tensors in lists]
    scans = range(len(ctx.reverse))
    ctx.save_for_backward(
        *(tensor_at(tensors, n) for n in scans for tensors in (*lists, output[0]))
    )
    ctx.set_materialize_grads(False)


def _second(ctx: Any, *grads: list[Tensor | None]) -> tuple[Any, ...]:
    flat, each = ctx.saved_tensors, len(ctx.given) + 1
    found = []
    for n, reverse in enumerate(ctx.reverse):
        *arguments, gates = flat[n * each : (n + 1) * each]
        given = [*arguments, reverse, ctx.batch_first]
        found.append(backward_gradients(given, gates, [tensors[n] for tensors in grads]))
    columns = [*zip(*found, strict=True), *[[None] * len(found)] * 2]
    by_argument = [
        list(column) if given else [] for column, given in zip(columns, ctx.given, strict=True)
    ]
    return (*by_argument, *[None] * 3)


def _reference_forward(*arguments: Any) -> tuple[list[Tensor], ...]:
    return reference.lstm_scans_forward(*arguments[:12])


def _reference_backward(*arguments: Any) -> tuple[list[Tensor], ...]:
    return reference.lstm_scans_backward(*arguments[:13])


def _each_backward(suffix: str, *arguments: Any) -> tuple[list[Tensor], ...]:
    operator = getattr(torch.ops.lrcn_fast, f"lstm_backward{suffix}")
    *lists, reverse, batch_first, tf32 = arguments
    return lists_of(
        [
            operator(*(tensor_at(tensors, n) for tensors in lists), backwards, batch_first, tf32)
            for n, backwards in enumerate(reverse)
        ]
    )


_library.define_both(
    "lstm_scans",
    _library.Half(
        _FORWARD,
        _fake_forward,
        {"_reference": _reference_forward},
        FORWARD_ROWS,
        _forward_mode,
    ),
    _library.Half(
        _BACKWARD,
        _fake_backward,
        {"_reference": _reference_backward},
        BACKWARD_ROWS,
        lambda _, *arguments: _reference_backward(*arguments),
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    second=(_setup_second, _second),
)

# Autograd's gradients in batches map operators over tensors, but not those over lists.
for _suffix in ("", "_reference"):
    _library.implement(
        f"lstm_scans_backward{_suffix}", functools.partial(_each_backward, _suffix), "Batched"
    )
