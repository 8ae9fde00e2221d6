"""convert() exchanges torch's modules for ours and keeps everything else."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

import lrcn_fast
from tests.helpers.modules import LAYOUTS, Layout
from tests.helpers.tolerance import assert_equal_to_oracle


class Tree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 5)
        self.blocks = nn.ModuleList([nn.ModuleDict({"rnn": nn.LSTM(5, 6, bidirectional=True)})])
        self.cell = nn.LSTMCell(12, 3)
        self.again = self.cell
        self.gru = nn.GRU(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.blocks[0]["rnn"](self.stem(x))
        state = None
        for row in y:
            state = self.again(row, self.cell(row, state))
        assert state is not None
        return self.gru(state[0].unsqueeze(0))[0]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_root(layout: Layout) -> None:
    theirs = layout.torch_module()
    x, hx = layout.sequence(4, 2), layout.state(2)
    expected = theirs(x, hx)
    ours = lrcn_fast.convert(theirs)
    assert type(ours) is lrcn_fast.LSTM
    assert_equal_to_oracle(ours(x, hx)[0], expected[0], "output")
    for name, parameter in theirs.named_parameters():
        assert dict(ours.named_parameters())[name] is parameter, name
    assert repr(ours) == repr(theirs)


def test_tree() -> None:
    tree = Tree().double()
    x = torch.randn(3, 2, 4, dtype=torch.float64)
    expected, names = tree(x), [name for name, _ in tree.named_parameters()]
    parameters = list(tree.parameters())
    converted = lrcn_fast.convert(tree)
    assert converted is tree
    assert type(tree.blocks[0]["rnn"]) is lrcn_fast.LSTM
    assert type(tree.cell) is lrcn_fast.LSTMCell and tree.again is tree.cell
    assert type(tree.gru) is nn.GRU and type(tree.stem) is nn.Linear
    assert [name for name, _ in tree.named_parameters()] == names
    assert all(a is b for a, b in zip(tree.parameters(), parameters, strict=True))
    assert_equal_to_oracle(tree(x), expected, "output")


def test_twice_is_once() -> None:
    tree = lrcn_fast.convert(Tree())
    modules = list(tree.modules())
    assert list(lrcn_fast.convert(tree).modules()) == modules


def test_cell_root_without_bias() -> None:
    theirs = nn.LSTMCell(3, 4, bias=False)
    ours = lrcn_fast.convert(theirs)
    assert type(ours) is lrcn_fast.LSTMCell
    x = torch.randn(2, 3)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def test_training_flag_dropout_and_requires_grad_are_kept() -> None:
    theirs = nn.LSTM(3, 4, num_layers=2, dropout=0.25).eval()
    theirs.weight_hh_l0.requires_grad_(False)
    ours = lrcn_fast.convert(theirs)
    assert not ours.training and ours.dropout == 0.25 and not ours.weight_hh_l0.requires_grad


def test_hooks_are_kept() -> None:
    theirs, calls = nn.LSTM(3, 4), []
    theirs.register_forward_hook(lambda module, args, result: calls.append(type(module)))
    ours = lrcn_fast.convert(nn.Sequential(theirs))
    ours(torch.randn(2, 1, 3))
    assert calls == [lrcn_fast.LSTM]


def test_an_optimizer_goes_on_working() -> None:
    model = nn.Sequential(nn.LSTM(3, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    lrcn_fast.convert(model)
    before = model[0].weight_ih_l0.detach().clone()
    model(torch.randn(2, 1, 3))[0].sum().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight_ih_l0, before)


def test_subclasses_are_left_alone() -> None:
    class WithMethod(nn.LSTM):
        def init_hidden(self, batch: int) -> tuple[Tensor, Tensor]:
            zeros = torch.zeros(self.num_layers, batch, self.hidden_size)
            return zeros, zeros

    class Doubled(nn.LSTM):
        def forward(self, input: Tensor, hx: object = None) -> Tensor:  # type: ignore[override]
            return 2 * super().forward(input, hx)[0]

    class Cell(nn.LSTMCell):
        def __call__(self, input: Tensor) -> Tensor:
            return super().__call__(input)[0]

    tree = nn.ModuleList([WithMethod(3, 4), Doubled(3, 4), Cell(3, 4)])
    x, before = torch.randn(2, 1, 3), list(tree)
    expected = [tree[0](x)[0], tree[1](x), tree[2](x[0])]
    assert lrcn_fast.convert(tree) is tree
    assert all(a is b for a, b in zip(tree, before, strict=True))
    actual = [tree[0](x, tree[0].init_hidden(1))[0], tree[1](x), tree[2](x[0])]
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    assert lrcn_fast.convert(before[0]) is before[0]


def test_a_compiled_call_of_the_old_module_is_dropped() -> None:
    tree = nn.Sequential(nn.LSTM(3, 4))
    tree[0].compile(backend="eager")
    lrcn_fast.convert(tree)
    x, cont = torch.randn(2, 1, 3), torch.tensor([[True], [False]])
    fresh = tree[0](x[1:])[0]
    torch.testing.assert_close(tree[0](x, cont=cont)[0][1:], fresh)


class Doubling(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


@pytest.mark.parametrize("parametrized", [0, 1, 2])
def test_an_error_leaves_the_tree_untouched(parametrized: int) -> None:
    tree = nn.ModuleList([nn.LSTM(3, 4), nn.LSTMCell(3, 4), nn.LSTM(3, 4)])
    kind = "weight_hh" if parametrized == 1 else "weight_hh_l0"
    register_parametrization(tree[parametrized], kind, Doubling())
    before = list(tree)
    with pytest.raises(ValueError, match=f"module: {parametrized} is parametrized"):
        lrcn_fast.convert(tree)
    assert all(a is b for a, b in zip(tree, before, strict=True))
    with pytest.raises(ValueError, match="module: module is parametrized"):
        lrcn_fast.convert(tree[parametrized])


@pytest.mark.parametrize("wrong", [3, None, nn.LSTM, [nn.LSTM(3, 4)]], ids=str)
def test_no_module(wrong: object) -> None:
    with pytest.raises(TypeError, match="module: expected a torch.nn.Module, got"):
        lrcn_fast.convert(wrong)  # type: ignore[type-var]


def test_tied_weights_stay_tied() -> None:
    first, second = nn.LSTM(3, 4), nn.LSTM(3, 4)
    second.weight_hh_l0 = first.weight_hh_l0
    tree = lrcn_fast.convert(nn.ModuleList([first, second]))
    assert tree[0].weight_hh_l0 is tree[1].weight_hh_l0


def test_converted_module_copies_saves_and_casts() -> None:
    tree = lrcn_fast.convert(nn.Sequential(nn.LSTM(3, 4, num_layers=2)))
    x = torch.randn(2, 1, 3)
    assert torch.equal(copy.deepcopy(tree)(x)[0], tree(x)[0])
    fresh = nn.Sequential(nn.LSTM(3, 4, num_layers=2))
    fresh.load_state_dict(tree.state_dict())
    torch.testing.assert_close(fresh(x)[0], tree(x)[0])
    assert tree.to(torch.float64)(x.double())[0].dtype == torch.float64
    assert tree.half()(x.half())[0].dtype == torch.float16


def test_module_without_any_lstm() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    assert lrcn_fast.convert(model) is model
