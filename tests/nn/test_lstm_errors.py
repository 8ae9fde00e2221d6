"""Bad arguments of the modules: the error names the argument, what came and what was expected."""

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import lrcn_fast
from lrcn_fast import functional

X = torch.zeros(5, 3, 4)
STATE = (torch.zeros(1, 3, 6), torch.zeros(1, 3, 6))
# Not sorted by length: packing takes the rows into another order.
PACKED = pack_sequence([X[:3, 0], X[:, 1], X[:1, 2]], enforce_sorted=False)
ERRORS = (ValueError, TypeError, RuntimeError)

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "input is no tensor": ("input", ([[1.0]],), {}),
    "input is None": ("input", (None,), {}),
    "input of rank 1": ("input", (X[0, 0],), {}),
    "input of rank 4": ("input", (X[None],), {}),
    "input of another size": ("input", (torch.zeros(5, 3, 7),), {}),
    "input of integers": ("input", (X.long(),), {}),
    "input of bools": ("input", (X.bool(),), {}),
    "complex input": ("input", (X.to(torch.complex64),), {}),
    "input of another dtype": ("dtype", (X.double(),), {}),
    "input on meta": ("meta", (X.to("meta"),), {}),
    "no steps": ("input", (X[:0],), {}),
    "hx is one tensor": ("hx", (X, STATE[0]), {}),
    "hx has three": ("hx", (X, (*STATE, STATE[0])), {}),
    "hx holds None": ("hx", (X, (STATE[0], None)), {}),
    "h0 has the wrong batch": ("hx", (X, (STATE[0][:, :2], STATE[1])), {}),
    "h0 has the wrong layers": ("hx", (X, (STATE[0].expand(2, 3, 6), STATE[1])), {}),
    "c0 has the wrong width": ("hx", (X, (STATE[0], STATE[1][..., :5])), {}),
    "h0 of rank 2": ("hx", (X, (STATE[0][0], STATE[1])), {}),
    "h0 of another dtype": ("hx", (X, (STATE[0].double(), STATE[1])), {}),
    "c0 on meta": ("hx", (X, (STATE[0], STATE[1].to("meta"))), {}),
    "unbatched with batched state": ("hx", (X[:, 0], STATE), {}),
    "cont transposed": ("cont", (X,), {"cont": torch.ones(3, 5)}),
    "cont of rank 1": ("cont", (X,), {"cont": torch.ones(5)}),
    "cont of rank 3": ("cont", (X,), {"cont": torch.ones(5, 3, 1)}),
    "cont is a list": ("cont", (X,), {"cont": [[1] * 3] * 5}),
    "complex cont": ("cont", (X,), {"cont": torch.ones(5, 3, dtype=torch.complex64)}),
    "cont on meta": ("cont", (X,), {"cont": torch.ones(5, 3, device="meta")}),
    "static unexpected": ("static", (X,), {"static": torch.zeros(3, 2)}),
    "lengths negative": ("lengths", (X,), {"lengths": torch.tensor([1, -1, 2])}),
    "lengths too large": ("lengths", (X,), {"lengths": torch.tensor([1, 6, 2])}),
    "lengths of floats": ("lengths", (X,), {"lengths": torch.tensor([1.0, 2.0, 3.0])}),
    "lengths of bools": ("lengths", (X,), {"lengths": torch.tensor([True, True, False])}),
    "lengths too few": ("lengths", (X,), {"lengths": torch.tensor([1, 2])}),
    "lengths of rank 2": ("lengths", (X,), {"lengths": torch.tensor([[1, 2, 3]])}),
    "lengths is a list": ("lengths", (X,), {"lengths": [1, 2, 3]}),
    "packed with lengths": (
        "lengths",
        (pack_sequence([X[:3, 0], X[:2, 1]]),),
        {"lengths": torch.tensor([3, 2])},
    ),
    "packed with cont of fewer rows": ("cont", (PACKED,), {"cont": torch.ones(5, 2)}),
    "packed with cont of more rows": ("cont", (PACKED,), {"cont": torch.ones(5, 9)}),
    "packed with cont of more steps": ("cont", (PACKED,), {"cont": torch.ones(6, 3)}),
    "packed with cont of rank 1": ("cont", (PACKED,), {"cont": torch.ones(5)}),
    "packed with a list as cont": ("cont", (PACKED,), {"cont": [[1] * 3] * 5}),
    "packed with h0 of more rows": ("hx", (PACKED, (torch.zeros(1, 7, 6), STATE[1])), {}),
    "packed with c0 of fewer rows": ("hx", (PACKED, (STATE[0], torch.zeros(1, 2, 6))), {}),
    "packed with both of more rows": ("hx", (PACKED, (torch.zeros(1, 7, 6),) * 2), {}),
    "packed with h0 of rank 1": ("hx", (PACKED, (torch.zeros(3), STATE[1])), {}),
    "packed with one tensor as hx": ("hx", (PACKED, STATE[0]), {}),
    "packed with None in hx": ("hx", (PACKED, (None, STATE[1])), {}),
    "lengths on meta": (
        "lengths",
        (X,),
        {"lengths": torch.zeros(3, dtype=torch.int64, device="meta")},
    ),
    "packed with another size": ("input", (pack_sequence([torch.zeros(3, 7)]),), {}),
    "packed integers": ("input", (pack_sequence([torch.zeros(3, 4).long()]),), {}),
}


@pytest.mark.parametrize("word, args, options", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_lstm(backend: str, word: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    module = lrcn_fast.LSTM(4, 6)
    with lrcn_fast.use_backend(backend), pytest.raises(ERRORS, match=word) as caught:
        module(*args, **options)
    assert len(str(caught.value)) < 600


STATIC = {
    "missing": None,
    "wrong batch": torch.zeros(2, 2),
    "wrong size": torch.zeros(3, 5),
    "wrong rank": torch.zeros(5, 3, 2),
    "integers": torch.zeros(3, 2).long(),
    "wrong dtype": torch.zeros(3, 2).double(),
    "no tensor": 1.0,
}


@pytest.mark.parametrize("static", STATIC.values(), ids=list(STATIC))
def test_static(static: Any) -> None:
    with pytest.raises(ERRORS, match="static"):
        lrcn_fast.LSTM(4, 6, static_size=2)(X, static=static)


PACKED_STATIC = {
    "more rows": torch.zeros(9, 2),
    "fewer rows": torch.zeros(2, 2),
    "another size": torch.zeros(3, 5),
    "rank 1": torch.zeros(3),
    "no tensor": [[0.0, 0.0]] * 3,
}


@pytest.mark.parametrize("static", PACKED_STATIC.values(), ids=list(PACKED_STATIC))
def test_static_with_a_packed_sequence(static: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="static"):
        lrcn_fast.LSTM(4, 6, static_size=2)(PACKED, static=static)


@pytest.mark.parametrize("batch", [2, 5, 9])
def test_cont_with_a_packed_sequence_batch_first(batch: int) -> None:
    module = lrcn_fast.LSTM(4, 6, batch_first=True)
    assert module(PACKED, cont=torch.ones(3, 5))[0].data.shape == (9, 6)
    with pytest.raises(ValueError, match=r"cont: expected shape \(B, T\) = \(3, 5\)"):
        module(PACKED, cont=torch.ones(batch, 5))


@pytest.mark.parametrize(
    "arguments",
    [
        {"input_size": 0},
        {"hidden_size": 0},
        {"hidden_size": -1},
        {"num_layers": 0},
        {"hidden_size": 2.5},
        {"dropout": 1.5},
        {"dropout": -0.1},
        {"proj_size": 6},
        {"proj_size": -1},
        {"static_size": -1},
        {"static_size": 1.5},
        {"static_size": True},
    ],
    ids=str,
)
def test_constructor(arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(arguments))):
        lrcn_fast.LSTM(**{"input_size": 4, "hidden_size": 6, **arguments})


def test_message_says_what_came_and_what_was_expected() -> None:
    module = lrcn_fast.LSTM(4, 6)
    with pytest.raises(ValueError, match=r"hx.*\(1, 3, 6\).*\(1, 2, 6\)"):
        module(X, (STATE[0][:, :2], STATE[1]))
    with pytest.raises(ValueError, match=r"cont.*\(5, 3\).*\(3, 5\)"):
        module(X, cont=torch.ones(3, 5))
    with pytest.raises(ValueError, match=r"lengths.*5.*6"):
        module(X, lengths=torch.tensor([1, 6, 2]))


def test_an_empty_batch_is_no_error() -> None:
    module = lrcn_fast.LSTM(4, 6, num_layers=2, bidirectional=True)
    x = torch.zeros(5, 0, 4, requires_grad=True)
    output, (h_n, c_n), cells = module(
        x, cont=torch.zeros(5, 0), lengths=torch.zeros(0, dtype=torch.int64), return_cells=True
    )
    assert output.shape == (5, 0, 12) and h_n.shape == c_n.shape == (4, 0, 6)
    assert cells.shape == (5, 0, 12)
    output.sum().backward()
    assert x.grad.shape == (5, 0, 4)
    assert not module.weight_hh_l0.grad.any()


def test_meta_tensors_give_meta_results_or_an_error() -> None:
    """All on meta: shapes without values, as every torch module gives."""
    module = lrcn_fast.LSTM(4, 6, bidirectional=True, device="meta")
    output, (h_n, _), cells = module(X.to("meta"), return_cells=True)
    assert output.is_meta and output.shape == (5, 3, 12)
    assert h_n.shape == (2, 3, 6) and cells.shape == (5, 3, 12)


PARAMS = [torch.zeros(24, 4), torch.zeros(24, 6), torch.zeros(24), torch.zeros(24)]


@pytest.mark.parametrize(
    "params, options",
    [
        (PARAMS[:3], {}),
        ([*PARAMS, torch.zeros(24)], {}),
        (PARAMS, {"bias": False}),
        (PARAMS, {"num_layers": 2}),
        ([PARAMS[0][:, :3], *PARAMS[1:]], {}),
        ([PARAMS[0], PARAMS[1][:, :5], *PARAMS[2:]], {}),
        ([PARAMS[0], PARAMS[1][:23], *PARAMS[2:]], {}),
        ([*PARAMS[:2], PARAMS[2][:5], PARAMS[3]], {}),
        ([*PARAMS[:3], PARAMS[3].double()], {}),
        ([PARAMS[0], PARAMS[1].to("meta"), *PARAMS[2:]], {}),
        ([], {}),
    ],
    ids=range(11),
)
def test_functional_params(params: list[torch.Tensor], options: dict[str, Any]) -> None:
    with pytest.raises(ERRORS, match="weight|bias|params"):
        functional.lstm(X, None, params, **options)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    "word, params, options",
    [
        ("params", None, {}),
        ("params", 3, {}),
        ("params|weight", [None] * 4, {}),
        ("params|weight_ih", [None, *PARAMS[1:]], {}),
        ("params|weight_hh", [PARAMS[0], None, *PARAMS[2:]], {}),
        ("params|bias_ih", [*PARAMS[:2], None, PARAMS[3]], {}),
        ("weight_ih", [torch.zeros(()), *PARAMS[1:]], {}),
        ("weight_hh", [PARAMS[0], torch.zeros(()), *PARAMS[2:]], {}),
        ("weight_hh", [PARAMS[0], torch.zeros(24), *PARAMS[2:]], {}),
        (
            "weight_hh",
            [torch.zeros(0, 4), torch.zeros(0, 0), torch.zeros(0), torch.zeros(0)],
            {},
        ),
        ("num_layers", PARAMS, {"num_layers": 0}),
        ("num_layers", PARAMS, {"num_layers": -1}),
        ("dropout", PARAMS, {"dropout": 2.0}),
        ("dropout", PARAMS, {"dropout": -0.5, "training": True}),
        ("proj_size", PARAMS, {"proj_size": -1}),
        ("lengths", PARAMS, {"lengths": torch.zeros(3, dtype=torch.int64, device="meta")}),
        ("lengths", PARAMS, {"lengths": torch.tensor([1, 6, 2], dtype=torch.uint8)}),
    ],
)
def test_functional_values(backend: str, word: str, params: Any, options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"^({word})"):
        functional.lstm(X, None, params, backend=backend, **options)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.uint16, torch.uint32, torch.int32]
)
def test_lengths_of_any_integer_dtype(dtype: torch.dtype) -> None:
    x, lengths = torch.randn(5, 3, 4), torch.tensor([1, 5, 2])
    params = [torch.randn_like(value) for value in PARAMS]
    expected = functional.lstm(x, None, params, lengths=lengths)[0]
    actual = functional.lstm(x, None, params, lengths=lengths.to(dtype))[0]
    assert torch.equal(actual, expected)


@pytest.mark.parametrize(
    "word, params",
    [
        ("weight_ih", (None, PARAMS[1])),
        ("weight_hh", (PARAMS[0], None)),
        ("weight_hh", (PARAMS[0], torch.zeros(()))),
        ("weight_hh", (torch.zeros(0, 4), torch.zeros(0, 0))),
        ("bias_hh", (*PARAMS[:3], None)),
        ("bias_ih", (*PARAMS[:2], 1.0, PARAMS[3])),
    ],
)
def test_functional_cell_params(word: str, params: tuple[Any, ...]) -> None:
    with pytest.raises((ValueError, TypeError), match=word):
        functional.lstm_cell(X[0], None, *params)


CELL_CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "rank": ("input", (X,)),
    "size": ("input", (torch.zeros(3, 5),)),
    "integers": ("input", (torch.zeros(3, 4).long(),)),
    "no tensor": ("input", (1.0,)),
    "state batch": ("hx", (X[0], (torch.zeros(2, 6), torch.zeros(3, 6)))),
    "state width": ("hx", (X[0], (torch.zeros(3, 6), torch.zeros(3, 5)))),
    "state rank": ("hx", (X[0, 0], (torch.zeros(3, 6), torch.zeros(3, 6)))),
    "state count": ("hx", (X[0], (torch.zeros(3, 6),))),
    "state is a tensor": ("hx", (X[0], torch.zeros(3, 6))),
}


@pytest.mark.parametrize("word, args", CELL_CALLS.values(), ids=list(CELL_CALLS))
def test_cell(word: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(ERRORS, match=word):
        lrcn_fast.LSTMCell(4, 6)(*args)
