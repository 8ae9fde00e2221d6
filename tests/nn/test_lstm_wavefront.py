"""Layers as a wavefront over windows of time against layers one by one, and against the oracle."""

import sys
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import lrcn_fast
from lrcn_fast import reference
from lrcn_fast.backends import GPUS, Gpu, native, use_persistent, wavefront
from tests.helpers.modules import Layout
from tests.helpers.tolerance import (
    GRADIENT,
    assert_bitwise_equal,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)

FUNCTIONAL = sys.modules["lrcn_fast.functional.lstm"]
PLANNED = sys.modules["lrcn_fast.backends.wavefront"]
NATIVE = torch.ops.lrcn_fast


def windowed(window: int | None) -> Any:
    """A call in this block runs in windows of so many steps."""
    return mock.patch.object(FUNCTIONAL, "choose_window", return_value=window)


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """A layout with two layers or more, and what a call of it takes."""
    layout = Layout(
        input_size=draw(st.integers(1, 5)),
        hidden_size=draw(st.integers(1, 6)),
        num_layers=draw(st.integers(2, 5)),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
    )
    T, B = draw(st.integers(1, 13)), draw(st.integers(0, 4))
    torch.manual_seed(draw(st.integers(0, 2**31)))
    outer = (B, T) if layout.batch_first else (T, B)
    options: dict[str, Any] = {"input": layout.sequence(T, B)}
    if draw(st.booleans()):
        options["hx"] = layout.state(B)
    if draw(st.booleans()):
        options["cont"] = torch.rand(outer) > 0.3
    # A single step without lengths takes another way.
    if T == 1 or draw(st.booleans()):
        lengths = draw(st.lists(st.integers(0, T), min_size=B, max_size=B))
        options["lengths"] = torch.tensor(lengths, dtype=torch.int64)
    if draw(st.booleans()):
        options["static"] = torch.randn(B, 3, dtype=torch.float64)
    return {"layout": layout, "window": draw(st.integers(1, T + 2)), "options": options}


def module_of(layout: Layout, static: bool) -> lrcn_fast.LSTM:
    return lrcn_fast.LSTM(**layout.arguments(), static_size=3 if static else 0, dtype=torch.float64)


def outcome(module: torch.nn.Module, options: dict[str, Any]) -> list[Tensor]:
    """All results of a call, and all gradients of their weighted sum."""
    given = {**options}
    inputs = [
        given["input"],
        *given.get("hx", ()),
        *([given["static"]] if "static" in given else []),
    ]
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    given["input"] = leaves[0]
    if "hx" in given:
        given["hx"] = (leaves[1], leaves[2])
    if "static" in given:
        given["static"] = leaves[-1]
    output, (h_n, c_n), cells = module(**given, return_cells=True)
    results = [output, h_n, c_n, cells]
    loss = sum((t * torch.linspace(-1, 2, t.numel()).to(t).view(t.shape)).sum() for t in results)
    assert isinstance(loss, Tensor)
    return [*results, *torch.autograd.grad(loss, [*leaves, *module.parameters()])]


@given(problem=problems())
def test_windows_change_nothing(problem: dict[str, Any]) -> None:
    options, layout = problem["options"], problem["layout"]
    module = module_of(layout, "static" in options)
    with windowed(problem["window"]):
        actual = outcome(module, options)
    for number, pair in enumerate(zip(actual, outcome(module, options), strict=True)):
        assert_equal_to_oracle(*pair, f"result {number}", GRADIENT)


@given(problem=problems(), dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
def test_other_dtypes_against_the_oracle(problem: dict[str, Any], dtype: torch.dtype) -> None:
    """No further from float64 than the loop of torch operations in the same dtype."""
    options, layout = problem["options"], problem["layout"]
    static = options.get("static")
    module = module_of(layout, static is not None).to(dtype)
    params = [p for group in module._all_weights for p in map(module.get_parameter, group)]
    if static is not None:
        params.insert(4 if layout.bias else 2, module.get_parameter("weight_is_l0"))

    def cast(value: Any, to: torch.dtype) -> Any:
        if isinstance(value, tuple):
            return tuple(tensor.to(dtype).to(to) for tensor in value)
        return value.to(dtype).to(to) if value.is_floating_point() else value

    def loop(to: torch.dtype) -> list[Tensor]:
        moved = {name: cast(value, to) for name, value in options.items()}
        weights = [p.detach().to(to) for p in params]
        hx = moved.pop("hx", None)
        output, (h_n, c_n), cells = reference.lstm(
            moved.pop("input"), hx, weights, return_cells=True, **moved, **layout.oracle_arguments()
        )
        return [output, h_n, c_n, cells]

    halves = {name: cast(value, dtype) for name, value in options.items()}
    with windowed(problem["window"]), torch.no_grad():
        output, (h_n, c_n), cells = module(**halves, return_cells=True)
    three = zip((output, h_n, c_n, cells), loop(dtype), loop(torch.float64), strict=True)
    for number, (ours, torchs, exact) in enumerate(three):
        assert_no_worse_than_torch(ours, torchs, exact, f"result {number}", scale=1.0)


class Scans(TorchDispatchMode):
    """Steps of the scans of each call of an operator, in its ``steps``."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (NATIVE.lstm_forward.default, NATIVE.lstm_scans_forward.default):
            gates = args[0] if isinstance(args[0], list) else [args[0]]
            self.steps.append([x.shape[0] for x in gates])
        return func(*args, **(kwargs or {}))


def test_each_turn_is_one_call() -> None:
    module = module_of(Layout(num_layers=2), False)
    with windowed(3), Scans() as seen, torch.no_grad():
        module(torch.randn(8, 2, 5, dtype=torch.float64))
    assert seen.steps == [[3], [3, 3], [2, 3], [2]]


def test_gradients_of_windows_are_not_padded() -> None:
    """A slice's gradient would be as long as what it is cut from, zeros for the most part."""
    module = module_of(Layout(num_layers=2), False)
    called: set[str] = set()

    class Names(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.add(str(func))
            return func(*args, **(kwargs or {}))

    x, cont = torch.randn(48, 2, 5, dtype=torch.float64, requires_grad=True), torch.ones(48, 2)
    with windowed(4):
        output, _ = module(x, cont=cont, lengths=torch.tensor([48, 9]))
    with Names():
        output.sum().backward()
    assert "lrcn_fast.lstm_scans_backward.default" in called
    assert not [name for name in called if "slice_backward" in name or "new_zeros" in name]


@pytest.mark.parametrize(
    "layout, training, dropout",
    [
        (Layout(), True, 0.0),
        (Layout(num_layers=2, bidirectional=True), True, 0.0),
        (Layout(num_layers=2, proj_size=3), True, 0.0),
        (Layout(num_layers=2), True, 0.5),
    ],
    ids=str,
)
def test_what_has_no_wavefront(layout: Layout, training: bool, dropout: float) -> None:
    module = lrcn_fast.LSTM(**layout.arguments(), dropout=dropout, dtype=torch.float64)
    module.train(training)
    with mock.patch.object(FUNCTIONAL, "wavefront", side_effect=AssertionError), windowed(2):
        module(layout.sequence(5, 2))


def test_dropout_that_does_not_act_leaves_it() -> None:
    module = lrcn_fast.LSTM(5, 7, 2, dropout=0.5, dtype=torch.float64).eval()
    x = Layout().sequence(6, 3)
    expected = module(x)[0]
    with (
        mock.patch.object(FUNCTIONAL, "wavefront", wraps=FUNCTIONAL.wavefront) as called,
        windowed(2),
    ):
        assert_equal_to_oracle(module(x)[0], expected, "output")
    assert called.called


def test_results_share_no_memory() -> None:
    module = module_of(Layout(num_layers=2), False)
    with windowed(4), torch.no_grad():
        output, (h_n, c_n), cells = module(Layout().sequence(4, 3), return_cells=True)
    before = output.clone()
    for tensor in (h_n, c_n, cells):
        tensor.zero_()
    assert_bitwise_equal(output, before, "output")


def test_reference_backend() -> None:
    module = module_of(Layout(num_layers=3), False)
    x = Layout().sequence(7, 3)
    with lrcn_fast.use_backend("reference"):
        expected = module(x)[0]
        with windowed(3):
            assert_equal_to_oracle(module(x)[0], expected, "output")


def scans_on_an_h100(T: int, num_layers: int = 2, directions: int = 1) -> list[list[int]]:
    """Steps of the scans of each call, on tensors without values."""
    PLANNED._remembered.cache_clear()
    with (
        mock.patch.object(Gpu, "present", return_value=GPUS["H100"]),
        mock.patch.object(native, "supports", return_value=None),
        FakeTensorMode(),
        Scans() as seen,
    ):
        params = [
            torch.empty(shape, device="cuda", dtype=torch.bfloat16)
            for layer in range(num_layers)
            for shape in [(1024, 256 * (directions if layer else 1)), (1024, 256)] * directions
        ]
        lrcn_fast.functional.lstm(
            torch.empty(T, 8, 256, device="cuda", dtype=torch.bfloat16),
            None,
            params,
            num_layers=num_layers,
            bias=False,
            bidirectional=directions == 2,
        )
    PLANNED._remembered.cache_clear()
    return seen.steps


def test_the_planner_decides_on_a_gpu() -> None:
    planned = wavefront("H100", torch.bfloat16, 256, layers=2, batch=8, steps=1024).window
    assert scans_on_an_h100(1024)[:2] == [[planned], [planned, planned]]
    assert scans_on_an_h100(20) == [[20], [20]]
    assert scans_on_an_h100(1024, directions=2) == [[1024, 1024]] * 2
    with use_persistent("0"):
        assert scans_on_an_h100(1024) == [[1024], [1024]]
    assert scans_on_an_h100(1024, num_layers=1) == [[1024]]
