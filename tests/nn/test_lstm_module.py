"""lrcn_fast.LSTM as a torch module: parameters, state_dict, copies, dtypes, memory layouts."""

import copy
import io
import pickle

import pytest
import torch
import torch.utils.checkpoint

import lrcn_fast
from tests.helpers.modules import LAYOUTS, Layout
from tests.helpers.tolerance import assert_no_worse_than_torch


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_parameters_are_torchs(layout: Layout) -> None:
    """Names, order, shapes and, under the same seed, values."""
    torch.manual_seed(7)
    theirs = torch.nn.LSTM(**layout.arguments())
    torch.manual_seed(7)
    ours = lrcn_fast.LSTM(**layout.arguments())
    expected, actual = list(theirs.named_parameters()), list(ours.named_parameters())
    assert [name for name, _ in actual] == [name for name, _ in expected]
    for (name, mine), (_, other) in zip(actual, expected, strict=True):
        assert torch.equal(mine, other), name
    assert torch.initial_seed() == 7


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_state_dict_both_ways(layout: Layout) -> None:
    theirs, ours = torch.nn.LSTM(**layout.arguments()), lrcn_fast.LSTM(**layout.arguments())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in ours.state_dict().items())
    other = torch.nn.LSTM(**layout.arguments())
    other.load_state_dict(ours.state_dict())
    x = layout.sequence(3, 2, torch.float32)
    assert torch.equal(other(x)[0], theirs(x)[0])


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_attributes_are_torchs(layout: Layout) -> None:
    theirs, ours = torch.nn.LSTM(**layout.arguments()), lrcn_fast.LSTM(**layout.arguments())
    for name in (*layout.arguments(), "dropout", "mode"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [[p.shape for p in group] for group in ours.all_weights] == [
        [p.shape for p in group] for group in theirs.all_weights
    ]


def test_positional_arguments_are_torchs() -> None:
    arguments = (3, 4, 2, False, True, 0.25, True, 2)
    theirs, ours = torch.nn.LSTM(*arguments), lrcn_fast.LSTM(*arguments)
    assert str(ours) == str(theirs)


def test_repr() -> None:
    assert repr(lrcn_fast.LSTM(3, 4)) == "LSTM(3, 4)"
    text = repr(lrcn_fast.LSTM(3, 4, num_layers=2, static_size=5, proj_size=2))
    assert "num_layers=2" in text and "static_size=5" in text and "proj_size=2" in text


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_static_weights(bidirectional: bool, layers: int) -> None:
    module = lrcn_fast.LSTM(
        3, 4, num_layers=layers, bidirectional=bidirectional, static_size=5, proj_size=2
    )
    names = {name for name, _ in module.named_parameters() if name.startswith("weight_is")}
    expected = {"weight_is_l0"} | ({"weight_is_l0_reverse"} if bidirectional else set())
    assert names == expected
    bound = 4**-0.5
    for name in names:
        weight = getattr(module, name)
        assert weight.shape == (16, 5)
        assert 0 < weight.abs().max() <= bound


def test_a_static_size_does_not_change_the_other_values() -> None:
    torch.manual_seed(3)
    plain = lrcn_fast.LSTM(3, 4, bidirectional=True)
    torch.manual_seed(3)
    static = lrcn_fast.LSTM(3, 4, bidirectional=True, static_size=2)
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, getattr(static, name)), name


def test_reset_parameters_covers_all() -> None:
    module = lrcn_fast.LSTM(3, 4, static_size=2)
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 9.0)
    module.reset_parameters()
    assert all(parameter.abs().max() <= 0.5 for parameter in module.parameters())


@pytest.mark.parametrize("static_size", [0, 3])
def test_copies(static_size: int) -> None:
    """deepcopy, pickle and torch.save keep the function, and do not share weights."""
    module = lrcn_fast.LSTM(4, 5, 2, bidirectional=True, static_size=static_size)
    x = torch.randn(3, 2, 4)
    static = torch.randn(2, 3) if static_size else None
    expected = module(x, static=static)[0]
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    copies = [
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(buffer, weights_only=False),
    ]
    with torch.no_grad():
        module.weight_ih_l0.zero_()
    for other in copies:
        assert torch.equal(other(x, static=static)[0], expected)
        assert other.static_size == static_size


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_to_dtype(dtype: torch.dtype) -> None:
    module = lrcn_fast.LSTM(4, 5, 2, static_size=2).to(dtype)
    output, (h_n, c_n), cells = module(
        torch.randn(3, 2, 4, dtype=dtype), static=torch.randn(2, 2, dtype=dtype), return_cells=True
    )
    assert {t.dtype for t in (output, h_n, c_n, cells)} == {dtype}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_module_is_close_to_exact(dtype: torch.dtype) -> None:
    """No worse than torch's own half module where it runs, at a width that sums many products."""
    theirs = torch.nn.LSTM(24, 40).to(dtype)
    ours = lrcn_fast.LSTM(24, 40, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(12, 3, 24).to(dtype)
    exact = copy.deepcopy(theirs).double()(x.double())[0]
    assert_no_worse_than_torch(ours(x)[0], theirs(x)[0], exact, "output")


def test_empty_weights_and_to_empty() -> None:
    module = lrcn_fast.LSTM(4, 5, device="meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    module = module.to_empty(device="cpu")
    module.reset_parameters()
    assert module(torch.randn(2, 1, 4))[0].isfinite().all()


def test_weight_tying() -> None:
    """Two layers, one tensor: its gradient is the sum of both uses, an assignment moves both."""
    tied = lrcn_fast.LSTM(5, 5, num_layers=2, dtype=torch.float64)
    tied.weight_hh_l1 = tied.weight_hh_l0
    tied.weight_ih_l1 = tied.weight_ih_l0
    assert len(list(tied.parameters())) == 6
    free = lrcn_fast.LSTM(5, 5, num_layers=2, dtype=torch.float64)
    free.load_state_dict(tied.state_dict())
    x = torch.randn(4, 2, 5, dtype=torch.float64)
    tied(x)[0].sum().backward()
    free(x)[0].sum().backward()
    torch.testing.assert_close(
        tied.weight_hh_l0.grad, free.weight_hh_l0.grad + free.weight_hh_l1.grad, rtol=0, atol=1e-12
    )
    before = tied(x)[0]
    with torch.no_grad():
        tied.weight_hh_l0.mul_(2)
    assert not torch.equal(tied(x)[0], before)


def test_a_parameter_may_be_replaced() -> None:
    module = lrcn_fast.LSTM(3, 4)
    module.weight_hh_l0 = torch.nn.Parameter(torch.zeros(16, 4))
    module.weight_ih_l0 = torch.nn.Parameter(torch.zeros(16, 3))
    with torch.no_grad():
        module.bias_ih_l0.zero_()
        module.bias_hh_l0.zero_()
    assert not module(torch.randn(3, 2, 3))[0].any()


def test_weight_norm_and_functional_call() -> None:
    module = torch.nn.utils.parametrizations.weight_norm(lrcn_fast.LSTM(3, 4), "weight_hh_l0")
    x = torch.randn(3, 2, 3)
    module(x)[0].sum().backward()
    gradients = [p.grad for name, p in module.named_parameters() if "weight_hh" in name]
    assert len(gradients) == 2 and all(g is not None for g in gradients)
    plain = lrcn_fast.LSTM(3, 4)
    other = {name: torch.zeros_like(p) for name, p in plain.named_parameters()}
    assert not torch.func.functional_call(plain, other, (x,))[0].any()


def test_flatten_parameters_is_accepted() -> None:
    lrcn_fast.LSTM(3, 4).flatten_parameters()


@pytest.mark.parametrize("layout", [Layout(), Layout(batch_first=True)], ids=str)
def test_input_in_any_memory_layout(layout: Layout) -> None:
    module = lrcn_fast.LSTM(**layout.arguments())
    x = layout.sequence(6, 4, torch.float32)
    expected = module(x)[0]
    for view in (
        x.transpose(0, 1).contiguous().transpose(0, 1),
        x.transpose(1, 2).contiguous().transpose(1, 2),
        x.repeat_interleave(2, 0)[::2],
        torch.cat([x, x], -1)[..., : layout.input_size],
    ):
        torch.testing.assert_close(module(view)[0], expected, rtol=0, atol=1e-6)
    first = x[:1, :1].expand_as(x)
    torch.testing.assert_close(module(first)[0], module(first.contiguous())[0], rtol=0, atol=1e-6)


def test_output_is_contiguous() -> None:
    for batch_first in (False, True):
        module = lrcn_fast.LSTM(3, 4, bidirectional=True, batch_first=batch_first)
        output, _, cells = module(torch.randn(5, 2, 3), return_cells=True)
        assert output.is_contiguous() and cells.is_contiguous()


def test_checkpointing_and_assigned_weights() -> None:
    module = lrcn_fast.LSTM(3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)
    (plain,) = torch.autograd.grad(module(x)[0].sum(), x)
    output = torch.utils.checkpoint.checkpoint(lambda y: module(y)[0], x, use_reentrant=False)
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], plain)
    loaded = lrcn_fast.LSTM(3, 4, device="meta")
    loaded.load_state_dict(module.state_dict(), assign=True)
    assert torch.equal(loaded(x)[0], module(x)[0])
