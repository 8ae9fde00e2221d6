"""lrcn_fast.LSTM computes what torch.nn.LSTM computes, gradients included."""

import pytest
import torch
from torch import Tensor

import lrcn_fast
from tests.helpers.modules import LAYOUTS, Layout, named_gradients
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle, assert_no_worse_than_torch

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


def run(module: torch.nn.Module, x: Tensor, hx: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
    """Outputs, and the gradients of a fixed weighted sum of them at everything."""
    module.zero_grad()
    x = x.detach().requires_grad_()
    hx = None if hx is None else (hx[0].detach().requires_grad_(), hx[1].detach().requires_grad_())
    output, (h_n, c_n) = module(x, hx)
    loss = torch.zeros((), dtype=torch.float64)
    for tensor in (output, h_n, c_n):
        weights = torch.linspace(-1, 1, tensor.numel(), dtype=torch.float64).view(tensor.shape)
        loss = loss + (tensor.double() * weights).sum()
    loss.backward()
    results = {"output": output, "h_n": h_n, "c_n": c_n, "grad input": x.grad}
    if hx is not None:
        results |= {"grad h0": hx[0].grad, "grad c0": hx[1].grad}
    results |= {f"grad {name}": grad for name, grad in named_gradients(module).items()}
    return {name: tensor.detach() for name, tensor in results.items()}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_outputs_and_gradients(layout: Layout, with_state: bool, dtype: torch.dtype) -> None:
    theirs = layout.torch_module(dtype)
    ours = lrcn_fast.LSTM(**layout.arguments(), dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    exact = layout.torch_module()
    exact.load_state_dict(theirs.state_dict())
    x = layout.sequence(6, 3, dtype)
    hx = layout.state(3, dtype) if with_state else None
    truth = run(exact, x.double(), None if hx is None else (hx[0].double(), hx[1].double()))
    torchs, actual = run(theirs, x, hx), run(ours, x, hx)
    assert actual.keys() == truth.keys()
    for name in truth:
        if dtype == torch.float64:
            assert_equal_to_oracle(actual[name], truth[name], name, GRADIENT)
        else:
            assert_no_worse_than_torch(actual[name], torchs[name], truth[name], name)


@pytest.mark.parametrize(
    "layout", [Layout(), Layout(bidirectional=True, batch_first=True)], ids=str
)
def test_unbatched(layout: Layout) -> None:
    theirs = layout.torch_module()
    ours = lrcn_fast.LSTM(**layout.arguments(), dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, layout.input_size, dtype=torch.float64)
    hx = tuple(state[:, 0] for state in layout.state(1))
    for state in (None, hx):
        expected, actual = theirs(x, state), ours(x, state)
        assert_equal_to_oracle(actual[0], expected[0], "output")
        assert_equal_to_oracle(actual[1][0], expected[1][0], "h_n")
        assert_equal_to_oracle(actual[1][1], expected[1][1], "c_n")


@pytest.mark.parametrize("T, B", [(1, 1), (3, 2), (20, 16)])
def test_wide_layer_in_float32(T: int, B: int) -> None:
    """Weights that fill a cache, with few and with many frames; every gradient."""
    layout = Layout(input_size=1024, hidden_size=256)
    theirs = layout.torch_module(torch.float32)
    ours = lrcn_fast.LSTM(1024, 256)
    ours.load_state_dict(theirs.state_dict())
    exact = layout.torch_module()
    exact.load_state_dict(theirs.state_dict())
    x = layout.sequence(T, B, torch.float32)
    truth, torchs = run(exact, x.double(), None), run(theirs, x, None)
    for name, actual in run(ours, x, None).items():
        assert_no_worse_than_torch(actual, torchs[name], truth[name], name)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_step_is_reproducible(threads: int) -> None:
    """The same bits from run to run with the same threads, through the whole module."""
    torch.set_num_threads(threads)
    layout = Layout(input_size=16, hidden_size=96, num_layers=2, bidirectional=True)
    module = lrcn_fast.LSTM(**layout.arguments())
    x, hx = layout.sequence(7, 5, torch.float32), layout.state(5, torch.float32)
    first = run(module, x, hx)
    for _ in range(3):
        for name, tensor in run(module, x, hx).items():
            assert torch.equal(tensor, first[name]), name


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_backward_in_eval_mode(dropout: float) -> None:
    """Frozen dropout does not stop gradients (cuDNN refuses this)."""
    module = lrcn_fast.LSTM(3, 4, num_layers=2, dropout=dropout).eval()
    x = torch.randn(5, 2, 3, requires_grad=True)
    module(x)[0].sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_frozen_weights_and_frozen_input() -> None:
    module = lrcn_fast.LSTM(3, 4)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(5, 2, 3, requires_grad=True)
    module(x)[0].sum().backward()
    alone = x.grad.clone()
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    x.grad = None
    module(x)[0].sum().backward()
    assert torch.equal(x.grad, alone)
    module.zero_grad()
    module(x.detach())[0].sum().backward()
    assert module.weight_hh_l0.grad.abs().sum() > 0


def test_no_grad_and_inference_mode() -> None:
    module, x = lrcn_fast.LSTM(3, 4, num_layers=2, bidirectional=True), torch.randn(5, 2, 3)
    expected = module(x)[0]
    with torch.no_grad():
        assert torch.equal(module(x)[0], expected)
    with torch.inference_mode():
        output = module(x)[0]
        assert output.is_inference() and torch.equal(output, expected)
