"""Sequences of unlike lengths in columns give what the reference gives for padded ones."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from lrcn_fast import LSTM, functional
from lrcn_fast.functional import _columns
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True, "proj_size": 2},
    {"batch_first": True, "bidirectional": True, "bias": False},
]


@pytest.fixture(scope="module", autouse=True)
def _never_too_small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_columns, "LEAST_SAVED", 0)
        yield


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40).filter(any))
def test_columns_hold_every_sequence_once(lengths: list[int]) -> None:
    starts, columns, filled = _columns._best_fill(lengths)
    taken = {
        (column, start + t)
        for start, column, length in zip(starts, columns, lengths, strict=True)
        for t in range(length)
    }
    assert len(taken) == sum(lengths) == sum(filled)
    assert all(t < filled[column] for column, t in taken)


def results(
    backend: str, module: LSTM, x: Tensor, cont: Tensor | None, lengths: Tensor
) -> list[Tensor]:
    """Outputs, states and cells, then all gradients of a sum with weights."""
    x = x.clone().requires_grad_()
    output, states, cells = functional.lstm(
        x,
        None,
        module._params(),
        num_layers=module.num_layers,
        bias=module.bias,
        batch_first=module.batch_first,
        bidirectional=module.bidirectional,
        proj_size=module.proj_size,
        cont=cont,
        lengths=lengths,
        return_cells=True,
        backend=backend,
    )
    found = [output, *states, cells]
    total = sum((y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum() for y in found)
    return [*found, *torch.autograd.grad(total, [x, *module.parameters()])]


@pytest.mark.parametrize("with_cont", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@given(
    data=st.data(),
    lengths=st.lists(st.integers(0, 9), min_size=2, max_size=7),
    padding=st.integers(0, 2),
)
def test_results_are_those_of_padding(
    data: st.DataObject, lengths: list[int], padding: int, options: dict[str, int], with_cont: bool
) -> None:
    torch.manual_seed(data.draw(st.integers(0, 99)))
    module = LSTM(3, 4, dtype=torch.float64, **options)
    shape = (max(1, max(lengths) + padding), len(lengths))
    shape = shape[::-1] if module.batch_first else shape
    x = torch.randn(*shape, 3, dtype=torch.float64)
    cont = torch.rand(shape) < 0.7 if with_cont else None
    arguments = (module, x, cont, torch.tensor(lengths))
    pairs = zip(results("native", *arguments), results("reference", *arguments), strict=True)
    for number, (mine, other) in enumerate(pairs):
        assert_equal_to_oracle(mine, other, f"result {number}", GRADIENT)


def ragged(x: Tensor, *params: Tensor) -> Tensor:
    output, (_, c_n) = functional.lstm(x, None, params, lengths=torch.tensor([4, 1, 2, 1]))
    return output.sum() + c_n.square().sum()


def test_second_derivatives() -> None:
    module = LSTM(2, 3, dtype=torch.float64)
    x = torch.randn(4, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ragged, (x, *module.parameters()))


def test_what_lies_past_the_lengths_has_no_effect() -> None:
    module = LSTM(2, 3)
    x = torch.randn(4, 3, 2)
    x[1:, 1:] = torch.nan
    module(x, lengths=torch.tensor([4, 1, 1]))[0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


def test_columns_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would compare padding with padding."""
    batches = []
    run = _columns.recur
    monkeypatch.setattr(
        _columns, "recur", lambda runs, gates: batches.append(gates[0].shape[1]) or run(runs, gates)
    )
    module, lengths = LSTM(2, 3), torch.tensor([4, 1, 2, 1])
    module(torch.randn(4, 4, 2), lengths=lengths)
    module(pack_padded_sequence(torch.randn(4, 4, 2), lengths, enforce_sorted=False))
    assert batches == [2, 2]


def test_a_traced_graph_takes_other_lengths() -> None:
    module, x = LSTM(2, 3).requires_grad_(False), torch.randn(4, 4, 2)
    with torch.no_grad():
        traced = torch.jit.trace(
            lambda x, lengths: module(x, lengths=lengths)[0], (x, torch.tensor([4, 1, 2, 1]))
        )
        lengths = torch.tensor([1, 3, 4, 2])
        torch.testing.assert_close(traced(x, lengths), module(x, lengths=lengths)[0])


def test_another_default_device() -> None:
    module, x, lengths = LSTM(2, 3), torch.randn(4, 4, 2), torch.tensor([4, 1, 2, 1])
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    expected = [module(x, lengths=lengths)[0], module(packed)[0].data]
    with torch.device("meta"):
        found = [module(x, lengths=lengths)[0], module(packed)[0].data]
    for mine, other in zip(found, expected, strict=True):
        assert torch.equal(mine, other)


def test_nothing_is_decided_for_rows_of_equal_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_columns, "_best_fill", None)
    LSTM(2, 3)(torch.randn(4, 3, 2), lengths=torch.tensor([4, 4, 4]))
