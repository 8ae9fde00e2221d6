"""How probable sentences are: all captions against all images."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.backends import LstmSpec, choose
from lrcn_fast.decoding.options import check_captioner, check_count, image_pieces
from lrcn_fast.decoding.step_net import evaluating, static_gates
from lrcn_fast.functional import lstm
from lrcn_fast.models import Captioner
from lrcn_fast.ops.linear import project

__all__ = ["score"]

# Values of the gates, and of the words' scores, that may be in memory at once.
_MOST_GATES = 1 << 24
_MOST_SCORES = 1 << 24


def score(
    captioner: Captioner,
    images: Tensor | None,
    captions: Tensor,
    lengths: Tensor | None = None,
    *,
    include_eos: bool = False,
    batch_size: int | None = None,
) -> Tensor:
    """Log-probability of every caption for every image (``retrieval_experiment.py``).

    What does not depend on the image is computed once for each caption: in 2f the whole first layer
    and the input product of the second.

    Args:
        captioner: the network.
        images: features (B, S), or pixels (B, C, Y, X) where the captioner has an encoder; None for
            the language model, whose B is 1.
        captions: (K, L) integers, the words of each caption without the 0 at its end, padded with
            -1 or with anything beyond ``lengths``.
        lengths: (K,) integers, words of each caption; up to the first negative one when None.
        include_eos: whether the 0 after the last word counts too; the paper's retrieval leaves it
            out.
        batch_size: captions that are run together; as many as a bounded memory holds when None.

    Returns:
        (K, B), float32 for the half types; 0 for a caption without words unless ``include_eos``.

    Raises:
        TypeError: ``captioner`` is no Captioner, or a dtype is wrong.
        ValueError: a shape, a word or a length is wrong.
    """
    check_captioner(captioner)
    captions, lengths = _check_captions(captioner, captions, lengths)
    with evaluating(captioner):
        features = [feature for feature, _ in image_pieces(captioner, images, 1, None)]
        feature = None if features[0] is None else torch.cat([f for f in features if f is not None])
        order = lengths.argsort(stable=True)
        columns = 1 if feature is None else len(feature)
        result = captions.new_zeros((len(captions), columns), dtype=torch.float64)
        size = _piece_size(captioner, captions.shape[1], batch_size)
        for rows in order.split(size) if len(order) else ():
            piece = _Captions(captioner, captions[rows], lengths[rows], include_eos)
            for column, values in enumerate(piece.scores(feature)):
                result[rows, column] = values
    weight = captioner.predict.weight
    return result.to(weight.dtype if weight.dtype == torch.float64 else torch.float32)


def _check_captions(
    captioner: Captioner, captions: object, lengths: object
) -> tuple[Tensor, Tensor]:
    integers = (torch.int64, torch.int32)
    if not isinstance(captions, Tensor) or captions.dtype not in integers:
        raise TypeError(f"captions: expected an int64 or int32 tensor, got {describe(captions)}")
    if captions.dim() != 2:
        raise ValueError(f"captions: expected shape (K, L), got {describe(captions)}")
    captions = captions.to(captioner.predict.weight.device, torch.int64)
    count, longest = captions.shape
    if lengths is None:
        lengths = (captions >= 0).long().cumprod(1).sum(1)
    if not isinstance(lengths, Tensor) or lengths.dtype not in integers:
        raise TypeError(f"lengths: expected an int64 or int32 tensor, got {describe(lengths)}")
    if tuple(lengths.shape) != (count,):
        raise ValueError(f"lengths: expected shape (K,) = ({count},), got {describe(lengths)}")
    lengths = lengths.to(captions.device, torch.int64)
    if count and (int(lengths.min()) < 0 or int(lengths.max()) > longest):
        raise ValueError(
            f"lengths: expected values within 0..L = {longest}, "
            f"got {int(lengths.min())}..{int(lengths.max())}"
        )
    size = captioner.config.vocabulary_size
    words = captions[torch.arange(longest, device=captions.device) < lengths.unsqueeze(1)]
    if words.numel() and (int(words.min()) < 0 or int(words.max()) >= size):
        raise ValueError(
            f"captions: expected words within 0..{size - 1}, "
            f"got {int(words.min())}..{int(words.max())}"
        )
    return captions, lengths


def _piece_size(captioner: Captioner, longest: int, batch_size: int | None) -> int:
    if batch_size is None:
        return max(1, _MOST_GATES // (4 * captioner.config.hidden_size * (longest + 1)))
    check_count("batch_size", batch_size)
    return batch_size


class _Captions:
    """Some captions, run through the layers below the image once."""

    def __init__(
        self, captioner: Captioner, captions: Tensor, lengths: Tensor, include_eos: bool
    ) -> None:
        self._captioner = captioner
        steps = int(lengths.max()) + 1
        time = torch.arange(steps, device=captions.device).unsqueeze(1)
        # What is read at each step (T, K): 0, then the caption; and the word that should follow.
        words = torch.cat([captions, captions.new_zeros((len(captions), 1))], 1).t()
        self._targets = words[:steps].masked_fill(time >= lengths, 0)
        previous = torch.cat([torch.zeros_like(words[:1]), self._targets[:-1]])
        self._counted = time < lengths + int(include_eos)
        self._cont = previous != 0
        self._lengths = lengths + 1
        # The first layer that sees the image; all of them are above it in the language model.
        first = captioner.config.image_layer
        self._first = captioner.config.num_layers if first is None else first
        output = captioner.embedding(previous)
        for layer in range(self._first):
            output = self._run(layer, output)
        self._below = output

    def scores(self, feature: Tensor | None) -> Iterator[Tensor]:
        """Log-probabilities (K,) of the captions, image by image."""
        if feature is None:
            yield self._total(self._below)
            return
        entered = self._captioner.layers[self._first]
        # The first layer's biases come with its input, the others' with the image.
        bias = entered.bias_ih_l0 + entered.bias_hh_l0 if self._first == 0 else None
        gates = project(self._below, entered.weight_ih_l0, bias)
        static = static_gates(self._captioner, self._first, feature)
        for image in static:
            output = self._enter(gates, image)
            for layer in range(self._first + 1, self._captioner.config.num_layers):
                output = self._run(layer, output)
            yield self._total(output)

    def _run(self, layer: int, input: Tensor) -> Tensor:
        """A layer that does not see the image, (T, K, H)."""
        weights = self._captioner.layers[layer]
        params = [getattr(weights, name) for name in weights._all_weights[0]]
        output: Tensor = lstm(input, None, params, cont=self._cont, lengths=self._lengths)[0]
        return output

    def _enter(self, gates: Tensor, static: Tensor) -> Tensor:
        """The layer that the image enters, from its gates (T, K, 4H) and the image's (4H,)."""
        weight_hh = self._captioner.layers[self._first].weight_hh_l0
        spec = LstmSpec(gates.device.type, gates.dtype, weight_hh.shape[1])
        run = getattr(torch.ops.lrcn_fast, "lstm_forward" + choose(spec).suffix)
        images = static.expand(gates.shape[1], -1).contiguous()
        options = (False, False, False, False)
        output: Tensor = run(
            *(gates, weight_hh, None, images, None, None, self._cont, self._lengths), *options
        )[0]
        return output

    def _total(self, output: Tensor) -> Tensor:
        """Sum the log-probabilities of the words that count, (K,)."""
        predict = self._captioner.predict
        place = self._counted.nonzero()
        step, caption = place.unbind(1)
        hidden, targets = output[step, caption], self._targets[step, caption]
        result = torch.zeros(output.shape[1], dtype=torch.float64, device=output.device)
        pieces = max(1, _MOST_SCORES // predict.weight.shape[0])
        for rows in torch.arange(len(place), device=output.device).split(pieces):
            scores = project(hidden[rows], predict.weight, predict.bias)
            scores = scores if scores.dtype == torch.float64 else scores.float()
            chosen = scores.gather(1, targets[rows].unsqueeze(1)).squeeze(1)
            result.index_add_(0, caption[rows], (chosen - scores.logsumexp(1)).double())
        return result
