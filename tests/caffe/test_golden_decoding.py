"""The captioner's step net, word by word, as the original one decodes and scores captions."""

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import Net
from tests.caffe.nets import golden_net
from tests.golden.caffe import arrays
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

END = 0


def step(net: Net, words: Tensor, images: Tensor) -> Tensor:
    """Log-probabilities (N, K) of the next word; a sequence starts after word 0."""
    inputs = {
        "cont_sentence": (words != END).unsqueeze(0),
        "input_sentence": words.unsqueeze(0),
        "image_features": images,
    }
    return net(inputs)["probs"][0].log()


@torch.no_grad()
def test_greedy() -> None:
    golden, net = arrays("decode_2f"), golden_net("decode_2f.deploy", "decode_2f").double()
    images, longest = golden["image_features"], int(golden["max_length"])
    for index, wanted in enumerate(golden["greedy/tokens"].tolist()):
        tokens, scores = [], []
        word = torch.tensor([END])
        while len(tokens) < longest:
            best = step(net, word, images[index : index + 1])[0].max(0)
            word = best.indices.unsqueeze(0)
            tokens.append(int(word))
            scores.append(best.values)
            if tokens[-1] == END:
                break
        assert tokens == [token for token in wanted if token >= 0]
        assert_equal_to_oracle(sum(scores), golden["greedy/logprob"][index], "log p", GRADIENT)


@torch.no_grad()
@pytest.mark.parametrize("caption", range(8))
def test_scores_of_a_caption_with_every_image(caption: int) -> None:
    golden, net = arrays("decode_2f"), golden_net("decode_2f.deploy", "decode_2f").double()
    images, length = golden["image_features"], int(golden["score/length"][caption])
    words = [*golden["score/captions"][caption, :length].tolist(), END]
    before = torch.full((len(images),), END)
    for place, word in enumerate(words):
        scores = step(net, before, images)[:, word]
        expected = golden["score/word_logprob"][caption, :, place]
        assert_equal_to_oracle(scores, expected, f"word {place}", GRADIENT)
        before = torch.full_like(before, word)
