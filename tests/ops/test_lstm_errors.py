"""Bad arguments of the operators: the error names the argument, what came, what was expected."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.cases import CASES, Tensors, build

OPS = torch.ops.lrcn_fast
ERRORS = (ValueError, TypeError, RuntimeError, NotImplementedError)


def problem(**changes: Any) -> Tensors:
    tensors = build(next(row for row in CASES if row.name == "all_reverse"), torch.float32)
    for name, change in changes.items():
        setattr(tensors, name, change(getattr(tensors, name)) if callable(change) else change)
    return tensors


BAD = {
    "weight_hh rows": ("weight_hh", lambda w: w[:-1]),
    "weight_hh rank": ("weight_hh", lambda w: w[0]),
    "weight_hh dtype": ("weight_hh", Tensor.double),
    "weight_hr columns": ("weight_hr", lambda w: w[:, :-1]),
    "weight_hr dtype": ("weight_hr", Tensor.half),
    "static_gates batch": ("static_gates", lambda s: s[:-1]),
    "static_gates columns": ("static_gates", lambda s: s[:, :-4]),
    "static_gates dtype": ("static_gates", Tensor.double),
    "h0 batch": ("h0", lambda h: h[:-1]),
    "h0 width": ("h0", lambda h: torch.cat([h, h], -1)),
    "h0 rank": ("h0", lambda h: h[None]),
    "c0 width": ("c0", lambda c: c[:, :-1]),
    "c0 dtype": ("c0", Tensor.double),
    "cont steps": ("cont", lambda c: c[:-1]),
    "cont dtype": ("cont", Tensor.float),
    "lengths batch": ("lengths", lambda n: n[:-1]),
    "lengths dtype": ("lengths", Tensor.int),
    "lengths rank": ("lengths", lambda n: n[None]),
}


@pytest.mark.parametrize("name, change", BAD.values(), ids=list(BAD))
def test_forward(name: str, change: Any) -> None:
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_forward(*problem(**{name: change}).forward_arguments(), True, True)


@pytest.mark.parametrize(
    "lengths", [[-1, 2, 0, 5, 1], [8, 2, 0, 9, 1], [-(2**62), 2, 0, 5, 1]], ids=str
)
def test_lengths_outside_the_sequence(lengths: list[int], isa: str) -> None:
    bad = problem(lengths=torch.tensor(lengths))
    with pytest.raises(ERRORS, match="lengths"):
        OPS.lstm_forward(*bad.forward_arguments(), True, True)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_gates_rank(rank: int) -> None:
    gates = torch.randn((5,) * (rank - 1) + (76,))
    with pytest.raises(ERRORS, match="gates"):
        OPS.lstm_forward(*problem(gates=gates).forward_arguments(), True, True)


def test_gates_of_integers() -> None:
    integers = problem().map(lambda t: t.to(torch.int64))
    with pytest.raises(ERRORS, match=re.compile("gates|Long|int64|dtype")):
        OPS.lstm_forward(*integers.forward_arguments(), True, True)


@pytest.mark.parametrize(
    "name",
    ["grad_output", "grad_h_n", "grad_c_n", "grad_cells", "activations", "cells", "c0", "lengths"],
)
@pytest.mark.parametrize("fault", ["rank", "dtype"])
def test_backward(name: str, fault: str) -> None:
    tensors = problem()
    saved = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    names = (
        "grad_output grad_h_n grad_c_n grad_cells activations cells weight_hh weight_hr "
        "c0 cont lengths reverse batch_first"
    ).split()
    arguments = list(tensors.backward_arguments(saved[4], saved[3]))
    value = arguments[names.index(name)]
    assert isinstance(value, Tensor)
    wrong = value[..., None] if fault == "rank" else value.to(torch.int16)
    arguments[names.index(name)] = wrong
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_backward(*arguments)


def test_backward_sizes() -> None:
    for name in ("grad_output", "grad_h_n", "grad_c_n", "grad_cells", "cells", "c0"):
        tensors = problem()
        saved = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
        cells = saved[3]
        if name == "cells":
            cells = torch.cat([cells, cells], -1)
        else:
            value = getattr(tensors, name)
            setattr(tensors, name, torch.cat([value, value], -1))
        with pytest.raises(ERRORS, match=name):
            OPS.lstm_backward(*tensors.backward_arguments(saved[4], cells))


def test_backward_of_saved_tensors_that_were_not_kept() -> None:
    tensors = problem()
    empty = torch.empty(0)
    with pytest.raises(ERRORS, match="activations|cells"):
        OPS.lstm_backward(*tensors.backward_arguments(empty, empty))


def test_message_says_what_came_and_what_was_expected() -> None:
    with pytest.raises(ERRORS) as caught:
        OPS.lstm_forward(*problem(h0=torch.zeros(5, 9)).forward_arguments(), True, True)
    message = str(caught.value)
    assert "h0" in message and "9" in message and "7" in message


@pytest.mark.parametrize(
    "name, gates, c0",
    [
        ("gates", torch.zeros(3, 6), None),
        ("gates", torch.zeros(8), None),
        ("c0", torch.zeros(3, 8), torch.zeros(3, 3)),
        ("c0", torch.zeros(3, 8), torch.zeros(2, 2)),
        ("c0", torch.zeros(3, 8), torch.zeros(3, 2).double()),
    ],
)
def test_cell(name: str, gates: Tensor, c0: Tensor | None) -> None:
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_cell_forward(gates, c0)


@pytest.mark.parametrize("name", ["grad_h", "grad_c", "c", "c0"])
def test_cell_backward(name: str) -> None:
    h, c, activations = OPS.lstm_cell_forward(torch.randn(3, 8), None)
    given = {"grad_h": h, "grad_c": c, "activations": activations, "c": c, "c0": c}
    given[name] = torch.zeros(3, 5)
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_cell_backward(*given.values())


@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize(
    "name, hidden, width", [("gates|weight_hh", 0, 0), ("weight_hh|weight_hr", 4, 0)]
)
def test_nothing_hidden(name: str, hidden: int, width: int, batch: int) -> None:
    """H = 0, or a projection on nothing."""
    gates, weight_hh = torch.zeros(3, batch, 4 * hidden), torch.zeros(4 * hidden, width)
    weight_hr = torch.zeros(width, hidden) if hidden else None
    options = [None, None, None, None, None, False, False, True, True]
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_forward(gates, weight_hh, weight_hr, *options)


@pytest.mark.parametrize("hidden, width", [(0, 0), (4, 0)])
def test_nothing_hidden_backward(hidden: int, width: int) -> None:
    T, B = 3, 2
    grads = [torch.zeros(T, B, width), torch.zeros(B, width), torch.zeros(B, hidden), None]
    saved = [torch.zeros(T, B, 4 * hidden), torch.zeros(T, B, hidden)]
    weights = [torch.zeros(4 * hidden, width), torch.zeros(width, hidden) if hidden else None]
    with pytest.raises(ERRORS, match="activations|cells|weight_hh|weight_hr"):
        OPS.lstm_backward(*grads, *saved, *weights, None, None, None, False, False)


def test_windows_backward_has_no_gradient_of_its_own() -> None:
    x, weight_ih, weight_hh = torch.randn(4, 2, 3), torch.randn(20, 3), torch.randn(20, 5)
    arguments = (x.requires_grad_(), weight_ih, None, weight_hh, *[None] * 6, False, False, 2, 0)
    output, _, _, _, *borders = OPS.lstm_windows_forward(*arguments, False)
    needs = [True, *[False] * 7]
    found = OPS.lstm_windows_backward(*arguments, *borders, output, None, None, None, needs)
    with pytest.raises(RuntimeError, match=r"second derivatives.*reference\.lstm is"):
        found[0].sum().backward()
