"""The best next words, native against their definition."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def draw(
    rows: int, hidden: int, words: int, dtype: torch.dtype, bias: bool = True
) -> list[Tensor | None]:
    """hidden, weight, bias: small whole numbers, so that every type has the same, exact scores."""
    shapes = [(rows, hidden), (words, hidden), (words,)]
    tensors = [torch.randint(-2, 3, shape).to(dtype) for shape in shapes]
    return [*tensors[:2], tensors[2] if bias else None]


def check(arguments: list[Tensor | None], k: int, forbidden: Tensor | None) -> None:
    guards = Guards()
    guarded = [None if value is None else guards.surround(value) for value in arguments]
    with poisoned_memory():
        values, words = OPS.vocabulary_top_k(*guarded, k, forbidden)
    guards.check()
    loop, expected = OPS.vocabulary_top_k_reference(*arguments, k, forbidden)
    exact, _ = OPS.vocabulary_top_k_reference(
        *(None if value is None else value.double() for value in arguments), k, forbidden
    )
    assert torch.equal(words, expected)
    missing = words < 0
    assert (values[missing] == -torch.inf).all() and values[~missing].isfinite().all()
    assert_no_worse_than_torch(values[~missing], loop[~missing], exact[~missing], "log_probs")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("rows", "hidden", "words", "k"),
    [(1, 1, 1, 1), (5, 7, 9, 3), (0, 4, 3, 2), (13, 33, 700, 5), (3, 5, 4, 9), (2, 3, 65, 65)],
)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("forbids", [False, True])
def test_against_the_reference(
    rows: int,
    hidden: int,
    words: int,
    k: int,
    bias: bool,
    forbids: bool,
    dtype: torch.dtype,
    isa: str,
) -> None:
    """Ties everywhere, because the scores are small whole numbers."""
    forbidden = torch.rand(words) < 0.4 if forbids else None
    check(draw(rows, hidden, words, dtype, bias), k, forbidden)


@given(
    rows=st.integers(0, 9),
    hidden=st.integers(1, 9),
    words=st.integers(1, 300),
    k=st.integers(1, 12),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_every_shape(rows: int, hidden: int, words: int, k: int, share: float) -> None:
    check(draw(rows, hidden, words, torch.float32), k, torch.rand(words) < share)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_log_probabilities_of_real_numbers(dtype: torch.dtype, isa: str) -> None:
    """Compared word by word, since two close scores may change places."""
    hidden, weight, bias = (
        torch.randn(*shape, dtype=torch.float64).to(dtype)
        for shape in [(6, 200), (999, 200), (999,)]
    )
    values, words = OPS.vocabulary_top_k(hidden, weight, bias, 999)
    loop, order = OPS.vocabulary_top_k_reference(hidden, weight, bias, 999)
    exact, exact_order = OPS.vocabulary_top_k_reference(
        hidden.double(), weight.double(), bias.double(), 999
    )
    assert torch.equal(words.sort(1).values, torch.arange(999).expand(6, -1))
    assert (values.diff(dim=1) <= 0).all()

    def by_word(log_probs: Tensor, places: Tensor) -> Tensor:
        return torch.zeros_like(log_probs).scatter(1, places, log_probs)

    assert_no_worse_than_torch(
        by_word(values, words), by_word(loop, order), by_word(exact, exact_order), "log_probs"
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_knows_nothing_of_the_others(dtype: torch.dtype, isa: str) -> None:
    """Bit for bit, on any number of threads."""
    arguments = [torch.randn(*shape).to(dtype) for shape in [(23, 40), (1500, 40), (1500,)]]
    whole = OPS.vocabulary_top_k(*arguments, 5)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        for ours, theirs in zip(OPS.vocabulary_top_k(*arguments, 5), whole):
            assert_bitwise_equal(ours, theirs, f"{threads} threads")
    alone = OPS.vocabulary_top_k(arguments[0][7:8], *arguments[1:], 5)
    for ours, theirs in zip(alone, whole):
        assert_bitwise_equal(ours, theirs[7:8], "alone")


def check_special_scores(operator: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """-inf is a score; NaN ranks as low and spoils the probabilities of its row."""
    hidden, weight = torch.zeros(1, 3), torch.zeros(200, 3)
    bias = torch.full((200,), -torch.inf)
    bias[150] = 2.0
    values, words = operator(hidden, weight, bias, 3)
    assert words.tolist() == [[150, 0, 1]]
    assert values.tolist() == [[0.0, -torch.inf, -torch.inf]]
    bias[3] = torch.nan
    values, words = operator(hidden, weight, bias, 2)
    assert words.tolist() == [[150, 0]] and values.isnan()[0, 0]


@pytest.mark.parametrize("suffix", ["", "_reference"])
def test_special_scores(suffix: str, isa: str) -> None:
    check_special_scores(getattr(OPS, "vocabulary_top_k" + suffix))


@pytest.mark.parametrize("suffix", ["", "_reference"])
def test_opcheck(suffix: str) -> None:
    hidden, weight, bias = (torch.randn(*shape) for shape in [(4, 3), (9, 3), (9,)])
    operator = getattr(OPS, "vocabulary_top_k" + suffix).default
    torch.library.opcheck(operator, (hidden, weight, bias, 2))
    torch.library.opcheck(operator, (hidden.bfloat16(), weight.bfloat16(), None, 2, bias > 0))
    with pytest.raises(RuntimeError, match="vocabulary_top_k.*no gradient.*no_grad"):
        operator(hidden, weight.requires_grad_(), bias, 2)[0].sum().backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: torch.zeros(3)}, r"'hidden' must have 2 dimensions \(N, H\)"),
        ({0: torch.zeros(2, 3).long()}, "'hidden' must be float32"),
        ({1: torch.zeros(9, 4)}, r"'weight' must have shape \(V, H\) = \(9, 3\)"),
        ({1: torch.zeros(0, 3), 2: None}, "'weight' must have at least one word and unit"),
        ({2: torch.zeros(8)}, r"'bias' must have shape \(V,\) = \(9,\)"),
        ({3: 0}, "'k' must be at least 1, got 0"),
        ({4: torch.zeros(9)}, "'forbidden' must have dtype bool"),
        ({4: torch.zeros(8).bool()}, r"'forbidden' must have shape \(V,\) = \(9,\)"),
    ],
)
def test_bad_arguments(change: dict[int, object], message: str) -> None:
    good = [torch.zeros(2, 3), torch.zeros(9, 3), torch.zeros(9), 2, None]
    with pytest.raises(RuntimeError, match=f"lrcn_fast::vocabulary_top_k: argument {message}"):
        OPS.vocabulary_top_k(*{**dict(enumerate(good)), **change}.values())
