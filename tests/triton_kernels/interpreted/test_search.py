"""The steps of a search under the interpreter, and a whole search with them."""

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from lrcn_fast.decoding import beam_search
from tests.decoding.networks import captioner, images
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops import test_lstm_step as step
from tests.ops import test_vocabulary_top_k as top_k

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("rows", "parents", "hidden"), [(1, 1, 1), (5, 3, 7), (0, 4, 3), (21, 40, 33), (4, 0, 5)]
)
@pytest.mark.parametrize("terms", ["", "i", "t", "s", "its"])
def test_step(rows: int, parents: int, hidden: int, terms: str, dtype: torch.dtype) -> None:
    inputs = 6 if "i" in terms else None
    arguments = step.draw(rows, parents, hidden, dtype, inputs, "t" in terms, "s" in terms)
    with poisoned_memory():
        found = OPS.lstm_step_triton(**arguments)
    loop = OPS.lstm_step_reference(**arguments)
    exact = OPS.lstm_step_reference(**step.doubled(arguments))
    for name, *three in zip(("h", "c"), found, loop, exact, strict=True):
        assert_no_worse_than_torch(*three, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("rows", "hidden", "words", "k"),
    [(1, 1, 1, 1), (5, 7, 9, 3), (0, 4, 3, 2), (19, 33, 300, 5), (3, 5, 4, 9), (2, 3, 65, 65)],
)
@pytest.mark.parametrize("forbids", [False, True])
def test_top_k(
    rows: int, hidden: int, words: int, k: int, forbids: bool, dtype: torch.dtype
) -> None:
    arguments = top_k.draw(rows, hidden, words, dtype)
    forbidden = torch.rand(words) < 0.4 if forbids else None
    with poisoned_memory():
        values, found = OPS.vocabulary_top_k_triton(*arguments, k, forbidden)
    loop, expected = OPS.vocabulary_top_k_reference(*arguments, k, forbidden)
    doubles = [None if value is None else value.double() for value in arguments]
    exact, _ = OPS.vocabulary_top_k_reference(*doubles, k, forbidden)
    assert torch.equal(found, expected)
    missing = found < 0
    assert (values[missing] == -torch.inf).all()
    assert_no_worse_than_torch(values[~missing], loop[~missing], exact[~missing], "log_probs")


def test_special_scores_and_opcheck() -> None:
    top_k.check_special_scores(OPS.vocabulary_top_k_triton)
    top_k.test_opcheck("_triton")
    for terms in ("", "its"):
        step.test_opcheck("_triton", terms)


@pytest.mark.parametrize("variant", ["1u", "2f"])
def test_beam_search(variant: str) -> None:
    model, features = captioner(variant).float(), images(variant)
    assert features is not None
    options = (features.float(), 3, 6)
    expected = beam_search(model, *options, n_best=3, backend="reference")
    found = beam_search(model, *options, n_best=3, backend="triton")
    assert torch.equal(found.tokens, expected.tokens)
    torch.testing.assert_close(found.log_probs, expected.log_probs)
