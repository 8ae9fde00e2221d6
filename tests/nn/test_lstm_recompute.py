"""``recompute_every``: windows of time that the backward computes anew."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast
from tests.helpers.live_memory import peak_bytes
from tests.helpers.modules import Layout
from tests.helpers.tolerance import (
    GRADIENT,
    assert_bitwise_equal,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)


@st.composite
def problems(draw: st.DrawFn) -> tuple[lrcn_fast.LSTM, int, list[Tensor], dict[str, Any]]:
    """A module, steps of a window, input and states, and further arguments of a call."""
    hidden, batch_first = draw(st.integers(2, 6)), draw(st.booleans())
    T, B, S = draw(st.integers(1, 11)), draw(st.integers(0, 4)), draw(st.sampled_from([0, 3]))
    layout = Layout(
        input_size=draw(st.integers(1, 5)),
        hidden_size=hidden,
        num_layers=draw(st.integers(1, 3)),
        bias=draw(st.booleans()),
        batch_first=batch_first,
        bidirectional=draw(st.booleans()),
        proj_size=draw(st.sampled_from([0, 1, hidden - 1])),
    )
    torch.manual_seed(draw(st.integers(0, 2**31)))
    module = lrcn_fast.LSTM(
        **layout.arguments(),
        dropout=draw(st.sampled_from([0.0, 0.5])) if layout.num_layers > 1 else 0.0,
        static_size=S,
        dtype=torch.float64,
    )
    tensors = [layout.sequence(T, B), *(layout.state(B) if draw(st.booleans()) else ())]
    options: dict[str, Any] = {}
    if S:
        options["static"] = torch.randn(B, S, dtype=torch.float64)
    if draw(st.booleans()):
        options["cont"] = torch.rand((B, T) if batch_first else (T, B)) > 0.3
    if draw(st.booleans()):
        lengths = draw(st.lists(st.integers(0, T), min_size=B, max_size=B))
        options["lengths"] = torch.tensor(lengths, dtype=torch.int64)
    return module, draw(st.integers(1, T + 2)), tensors, options


def outcome(
    module: torch.nn.Module, every: int | None, tensors: list[Tensor], options: dict[str, Any]
) -> list[Tensor]:
    """All results of a call, and all gradients of their weighted sum."""
    module.recompute_every = every
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    torch.manual_seed(5)
    hx = (leaves[1], leaves[2]) if len(leaves) > 1 else None
    output, states, cells = module(leaves[0], hx, return_cells=True, **options)
    results = [output, *states, cells]
    weights = [torch.linspace(-1, 2, t.numel()).to(t).view(t.shape) for t in results]
    loss = torch.stack([(t * w).sum() for t, w in zip(results, weights, strict=True)]).sum()
    return [*results, *torch.autograd.grad(loss, [*leaves, *module.parameters()])]


@given(problem=problems(), backend=st.sampled_from(["native", "reference"]))
def test_windows_change_nothing(problem: Any, backend: str) -> None:
    module, every, *call = problem
    with lrcn_fast.use_backend(backend):
        actual, expected = outcome(module, every, *call), outcome(module, None, *call)
    for number, pair in enumerate(zip(actual, expected, strict=True)):
        assert_equal_to_oracle(*pair, f"result {number}", GRADIENT)


@pytest.mark.parametrize("every", [50, 1100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_bit_differs(every: int, dtype: torch.dtype, bidirectional: bool) -> None:
    """Against a call that keeps everything: blocks are whole pieces of its sums."""
    module = lrcn_fast.LSTM(6, 5, static_size=2, bidirectional=bidirectional, dtype=dtype)
    tensors = [torch.randn(2500, 2, 6, dtype=dtype)]
    options = {"static": torch.randn(2, 2, dtype=dtype)}
    actual, expected = (outcome(module, k, tensors, options) for k in (every, None))
    for number, pair in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(*pair, f"result {number}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_dtypes_are_no_worse_than_torch(dtype: torch.dtype) -> None:
    theirs = torch.nn.LSTM(6, 8, dtype=dtype)
    exact = torch.nn.LSTM(6, 8, dtype=torch.float64)
    ours = lrcn_fast.LSTM(6, 8, dtype=dtype, recompute_every=7)
    x = torch.randn(30, 3, 6, dtype=dtype)
    for module in (exact, ours):
        module.load_state_dict(theirs.state_dict())
    three = []
    for module in (ours, theirs, exact):
        output, (h_n, c_n) = module(x.to(module.weight_ih_l0.dtype))
        loss = output.square().sum()
        three.append([output, h_n, c_n, *torch.autograd.grad(loss, list(module.parameters()))])
    for number, results in enumerate(zip(*three, strict=True)):
        assert_no_worse_than_torch(*results, f"result {number}", scale=1.0)


def training_peak(steps: int, every: int | None) -> int:
    module = lrcn_fast.LSTM(4, 32, recompute_every=every)
    x = torch.randn(steps, 2, 4)

    def run() -> None:
        module(x)[1][0].sum().backward()

    run()
    return peak_bytes(run)


def test_memory_of_windows() -> None:
    """A step more takes its output, joined and in parts, the output's gradient, and borders."""
    row = 4 * 2 * 32
    assert (training_peak(4096, 64) - training_peak(1024, 64)) / 3072 < 4 * row
    assert (training_peak(4096, None) - training_peak(1024, None)) / 3072 > 9 * row


def test_hooks_see_what_they_see_without() -> None:
    module = lrcn_fast.LSTM(4, 6, recompute_every=3)
    x = torch.randn(8, 2, 4, requires_grad=True)
    expected = torch.autograd.grad(module(x)[0].square().sum(), x)[0]
    seen = []
    module.register_full_backward_hook(lambda _, at_input, __: seen.append(at_input[0]))
    with torch.autograd.graph.save_on_cpu():
        loss = module(x)[0].square().sum()
    loss.backward(retain_graph=True)
    assert_bitwise_equal(seen[0], expected, "at the input")
    loss.backward()
    assert_bitwise_equal(seen[1], expected, "a second time")


def test_compiled_without_a_graph_break() -> None:
    module = lrcn_fast.LSTM(4, 6, 2, bidirectional=True, recompute_every=3)
    x, cont = torch.randn(8, 2, 4), torch.rand(8, 2) > 0.3
    expected = module(x, cont=cont)[0]
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")(x, cont=cont)[0]
    torch.testing.assert_close(compiled, expected)
    parameters = list(module.parameters())
    pairs = zip(*(torch.autograd.grad(y.sum(), parameters) for y in (compiled, expected)))
    for actual, wanted in pairs:
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "8", torch.tensor(3)], ids=repr)
def test_what_is_no_number_of_steps(value: Any) -> None:
    wanted = "^recompute_every: expected None or an integer >= 1, got "
    with pytest.raises(ValueError, match=wanted):
        lrcn_fast.LSTM(4, 6, recompute_every=value)
    module = lrcn_fast.LSTM(4, 6)
    module.recompute_every = value
    with pytest.raises(ValueError, match=wanted):
        module(torch.zeros(5, 3, 4))


def test_shown_and_kept_by_convert() -> None:
    assert "recompute_every=9" in repr(lrcn_fast.LSTM(4, 6, recompute_every=9))
    assert lrcn_fast.convert(torch.nn.LSTM(4, 6)).recompute_every is None
