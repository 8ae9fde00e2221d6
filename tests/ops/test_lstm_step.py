"""One step of a search, native against its definition."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
NAMES = "h c parents weight_hh input weight_ih table words static_gates images".split()

Arguments = dict[str, Tensor | None]


def draw(
    rows: int,
    parents: int,
    hidden: int,
    dtype: torch.dtype = torch.float32,
    inputs: int | None = 3,
    table: bool = True,
    static: bool = True,
) -> Arguments:
    """A call whose terms are all of about the same size; some rows begin."""

    def floats(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64).to(dtype)

    arguments: Arguments = dict.fromkeys(NAMES)
    arguments |= {
        "h": floats(parents, hidden),
        "c": floats(parents, hidden),
        "parents": torch.randint(-1, parents, (rows,)),
        "weight_hh": floats(4 * hidden, hidden) / hidden**0.5,
    }
    if inputs is not None:
        arguments |= {"input": floats(rows, inputs), "weight_ih": floats(4 * hidden, inputs)}
    if table:
        arguments |= {"table": floats(7, 4 * hidden), "words": torch.randint(0, 7, (rows,))}
    if static:
        images = torch.randint(0, 2, (rows,))
        arguments |= {"static_gates": floats(2, 4 * hidden), "images": images}
    return arguments


def doubled(arguments: Arguments) -> Arguments:
    return {
        name: value.double() if value is not None and value.is_floating_point() else value
        for name, value in arguments.items()
    }


def check(arguments: Arguments) -> None:
    guards = Guards()
    guarded = {
        name: guards.surround(value) if value is not None and value.is_floating_point() else value
        for name, value in arguments.items()
    }
    with poisoned_memory():
        found = OPS.lstm_step(**guarded)
    guards.check()
    loop = OPS.lstm_step_reference(**arguments)
    exact = OPS.lstm_step_reference(**doubled(arguments))
    for name, *three in zip(("h", "c"), found, loop, exact, strict=True):
        assert_no_worse_than_torch(*three, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("rows", "parents", "hidden"), [(1, 1, 1), (5, 3, 7), (0, 4, 3), (13, 40, 33), (4, 0, 5)]
)
@pytest.mark.parametrize("terms", ["", "i", "t", "s", "its"])
def test_against_the_reference(
    rows: int, parents: int, hidden: int, terms: str, dtype: torch.dtype, isa: str
) -> None:
    inputs = 6 if "i" in terms else None
    check(draw(rows, parents, hidden, dtype, inputs, "t" in terms, "s" in terms))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_long_sums(dtype: torch.dtype, isa: str) -> None:
    check(draw(9, 9, 1030, dtype, inputs=2050))


@given(st.integers(0, 20), st.integers(0, 9), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_every_shape(rows: int, parents: int, hidden: int, inputs: int, double: bool) -> None:
    dtype = torch.float64 if double else torch.float32
    check(draw(rows, parents, hidden, dtype, inputs))


def test_it_is_the_cell_with_gathered_states() -> None:
    arguments = draw(6, 4, 5, torch.float64)
    values = [value for value in arguments.values() if value is not None]
    h, c, parents, weight_hh, input, weight_ih, table, words, static, images = values
    begins = (parents < 0).unsqueeze(1)
    before = [state[parents.clamp(min=0)].masked_fill(begins, 0) for state in (h, c)]
    gates = before[0] @ weight_hh.t() + input @ weight_ih.t() + table[words] + static[images]
    expected = reference.lstm_cell_forward(gates, before[1])[:2]
    torch.testing.assert_close(reference.lstm_step(*values), expected, rtol=0, atol=1e-12)


def test_a_nan_dies_where_a_row_begins(isa: str) -> None:
    arguments = draw(2, 1, 5)
    for name in ("h", "c"):
        arguments[name] = torch.full((1, 5), torch.nan)
    arguments["parents"] = torch.tensor([-1, 0])
    for state in OPS.lstm_step(**arguments):
        assert state[0].isfinite().all() and state[1].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_knows_nothing_of_the_others(dtype: torch.dtype, isa: str) -> None:
    """Bit for bit, on any number of threads, with and without siblings."""
    arguments = draw(23, 9, 40, dtype)
    whole = OPS.lstm_step(**arguments)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        for ours, theirs in zip(OPS.lstm_step(**arguments), whole):
            assert_bitwise_equal(ours, theirs, f"{threads} threads")
    one = {
        name: value[7:8]
        if value is not None and name in ("parents", "input", "words", "images")
        else value
        for name, value in arguments.items()
    }
    for ours, theirs in zip(OPS.lstm_step(**one), whole):
        assert_bitwise_equal(ours, theirs[7:8], "alone")


def test_strided_arguments(isa: str) -> None:
    arguments = draw(6, 4, 5)
    strided = dict(arguments)
    for name, value in arguments.items():
        assert value is not None
        strided[name] = torch.stack([value, value], -1)[..., 0]
    for ours, theirs in zip(OPS.lstm_step(**strided), OPS.lstm_step(**arguments)):
        assert_bitwise_equal(ours, theirs, "strided")


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("terms", ["", "its"])
def test_opcheck(suffix: str, terms: str) -> None:
    arguments = draw(5, 3, 4, inputs=2 if "i" in terms else None, table="t" in terms)
    operator = getattr(OPS, "lstm_step" + suffix).default
    torch.library.opcheck(operator, tuple(arguments.values()))
    for state in (arguments["h"], arguments["weight_hh"]):
        assert state is not None
        state.requires_grad_()
    with pytest.raises(RuntimeError, match="lstm_step.*no gradient.*no_grad"):
        operator(*arguments.values())[0].sum().backward()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("h", torch.zeros(3), r"'h' must have 2 dimensions \(M, H\)"),
        ("h", torch.zeros(3, 5).long(), "'h' must be float32"),
        ("h", torch.zeros(3, 0), "'h' must have at least one unit"),
        ("c", torch.zeros(3, 4), r"'c' must have shape \(M, H\) = \(3, 5\)"),
        ("parents", torch.zeros(2).int(), "'parents' must have dtype int64"),
        ("parents", torch.tensor([0, 3]), "'parents' must have values below 3, .*got 3"),
        ("weight_hh", torch.zeros(5, 20), "'weight_hh' must have shape"),
        ("input", None, "'input' and 'weight_ih' must be given together, got only 'weight_ih'"),
        ("input", torch.zeros(2, 4), r"'weight_ih' must have shape \(4H, I\) = \(20, 4\)"),
        ("weight_ih", torch.zeros(20, 3).double(), "'weight_ih' must have dtype float32"),
        ("table", torch.zeros(7, 5), r"'table' must have shape \(R, 4H\) = \(7, 20\)"),
        ("words", torch.tensor([0, 7]), "'words' must have values below 7 and none below 0, got 7"),
        ("words", torch.tensor([-1, 0]), "'words' must have values .* got -1"),
        ("images", torch.tensor([0]), r"'images' must have shape \(N,\) = \(2,\)"),
        ("images", None, "'static_gates' and 'images' must be given together"),
    ],
)
def test_bad_arguments(name: str, value: Tensor | None, message: str) -> None:
    with pytest.raises(RuntimeError, match=f"lrcn_fast::lstm_step: arguments? {message}"):
        OPS.lstm_step(**{**draw(2, 3, 5), name: value})
