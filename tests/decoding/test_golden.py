"""Sentences and scores of the original Caffe, token for token."""

import pytest
import torch

from lrcn_fast.decoding import beam_search, greedy, normalised, score
from tests.golden.nets import golden_captioner
from tests.helpers.tolerance import assert_equal_to_oracle


@pytest.mark.parametrize("beam_size", [1, 3, 5])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_beams(beam_size: int, batch_size: int | None) -> None:
    model, golden = golden_captioner("decode_2f", "2f")
    name = "greedy" if beam_size == 1 else f"beam{beam_size}"
    found = beam_search(
        model,
        golden["image_features"],
        beam_size,
        int(golden["max_length"]),
        n_best=beam_size,
        word_log_probs=True,
        batch_size=batch_size,
    )
    shape = found.tokens.shape
    assert torch.equal(found.tokens, golden[f"{name}/tokens"].view(shape))
    assert torch.equal(found.lengths, golden[f"{name}/length"].view(shape[:2]))
    assert_equal_to_oracle(found.log_probs, golden[f"{name}/logprob"].view(shape[:2]), "total")
    assert found.word_log_probs is not None
    words = golden[f"{name}/word_logprob"].view(shape)
    assert_equal_to_oracle(found.word_log_probs, words, "words")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_greedy(dtype: torch.dtype) -> None:
    """The golden sentences have no near-ties, so float32 must find the same."""
    model, golden = golden_captioner("decode_2f", "2f")
    found = greedy(model.to(dtype), golden["image_features"].to(dtype), 12)
    assert torch.equal(found.tokens[:, 0], golden["greedy/tokens"])
    assert found.log_probs.dtype == dtype


@pytest.mark.parametrize("batch_size", [None, 3])
def test_scores(batch_size: int | None) -> None:
    model, golden = golden_captioner("decode_2f", "2f")
    images, captions = golden["image_features"], golden["score/captions"]
    words = score(model, images, captions, batch_size=batch_size)
    assert_equal_to_oracle(words, golden["score/words_only"], "words")
    assert_equal_to_oracle(normalised(words), golden["score/normalised"], "normalised")
    lengths = golden["score/length"]
    whole = score(model, images, captions, lengths, include_eos=True, batch_size=batch_size)
    assert_equal_to_oracle(whole, golden["score/with_eos"], "with the end")
