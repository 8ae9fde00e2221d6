"""lrcn_fast.LSTMCell has torch.nn.LSTMCell's contract."""

import copy
import pickle

import pytest
import torch

import lrcn_fast
from tests.helpers.modules import named_gradients
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle, assert_no_worse_than_torch


@pytest.mark.parametrize("bias", [False, True])
def test_parameters_are_torchs(bias: bool) -> None:
    torch.manual_seed(5)
    theirs = torch.nn.LSTMCell(3, 4, bias)
    torch.manual_seed(5)
    ours = lrcn_fast.LSTMCell(3, 4, bias)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(v, ours.state_dict()[k]) for k, v in theirs.state_dict().items())
    theirs.load_state_dict(ours.state_dict())
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("size", [(), (1,), (5,), (0,)], ids=str)
def test_values_and_gradients(size: tuple[int, ...], with_state: bool, bias: bool) -> None:
    theirs = torch.nn.LSTMCell(6, 11, bias, dtype=torch.float64)
    ours = lrcn_fast.LSTMCell(6, 11, bias, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(*size, 6, dtype=torch.float64)
    state = torch.randn(2, *size, 11, dtype=torch.float64)
    results = []
    for module in (ours, theirs):
        inputs = [x.clone().requires_grad_()]
        if with_state:
            inputs += [state[0].clone().requires_grad_(), state[1].clone().requires_grad_()]
        h, c = module(inputs[0], tuple(inputs[1:]) or None)
        (h.sin().sum() + c.cos().sum()).backward()
        results.append([h, c, *(t.grad for t in inputs), *named_gradients(module).values()])
    for number, (mine, other) in enumerate(zip(*results, strict=True)):
        assert_equal_to_oracle(mine, other, f"result {number}", GRADIENT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_error_against_torch(dtype: torch.dtype) -> None:
    theirs = torch.nn.LSTMCell(32, 48).to(dtype)
    ours = lrcn_fast.LSTMCell(32, 48, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    exact_cell = copy.deepcopy(theirs).double()
    x, h0, c0 = torch.randn(7, 32), torch.randn(7, 48), torch.randn(7, 48)
    x, h0, c0 = x.to(dtype), h0.to(dtype), c0.to(dtype)
    exact = exact_cell(x.double(), (h0.double(), c0.double()))
    for name, *three in zip("hc", ours(x, (h0, c0)), theirs(x, (h0, c0)), exact):
        assert_no_worse_than_torch(*three, name)


def test_loop_of_cells_is_the_sequence() -> None:
    cell = lrcn_fast.LSTMCell(3, 5, dtype=torch.float64)
    layer = lrcn_fast.LSTM(3, 5, dtype=torch.float64)
    layer.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    state = None
    output, _ = layer(x)
    for t in range(6):
        state = cell(x[t], state)
        assert_equal_to_oracle(output[t], state[0], f"h at {t}")


def test_copies_and_dtype() -> None:
    cell = lrcn_fast.LSTMCell(3, 5)
    x = torch.randn(2, 3)
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(other(x)[0], cell(x)[0])
    assert cell.to(torch.bfloat16)(x.bfloat16())[1].dtype == torch.bfloat16


def test_backends_agree() -> None:
    cell, x = lrcn_fast.LSTMCell(3, 5, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    results = []
    for backend in ("native", "reference"):
        with lrcn_fast.use_backend(backend):
            results.append(cell(x))
    assert_equal_to_oracle(results[0][0], results[1][0], "h")


def test_compiles_whole() -> None:
    cell = lrcn_fast.LSTMCell(3, 5)
    compiled = torch.compile(cell, fullgraph=True, backend="aot_eager")
    x, hx = torch.randn(2, 3), (torch.randn(2, 5), torch.randn(2, 5))
    for mine, other in zip(compiled(x, hx), cell(x, hx), strict=True):
        torch.testing.assert_close(mine, other)
