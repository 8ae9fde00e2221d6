"""Sentences drawn at random, of which the most probable is taken."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lrcn_fast.decoding.captions import Captions
from lrcn_fast.decoding.options import Limits, check_captioner, check_count, image_pieces, may_look
from lrcn_fast.decoding.step_net import StepNet, evaluating
from lrcn_fast.models import Captioner

__all__ = ["sample"]


def sample(
    captioner: Captioner,
    images: Tensor | None = None,
    num_samples: int = 100,
    temperature: float = 1.5,
    max_length: int = 50,
    *,
    n_best: int = 1,
    min_length: int = 0,
    forbidden: Sequence[int] = (),
    word_log_probs: bool = False,
    batch_size: int | None = None,
    backend: str | None = None,
    generator: torch.Generator | None = None,
) -> Captions:
    """Draw sentences and return the most probable of them (LRCN section 5; ``captioner.py``).

    Words are drawn from softmax(temperature * scores). Sentences are ranked, and their
    log-probabilities told, at temperature 1.

    Args:
        captioner: the network.
        images: features (B, S), or pixels (B, C, Y, X) where the captioner has an encoder; None for
            the language model, whose B is 1.
        num_samples: sentences drawn for each image.
        temperature: the inverse of what is usually called so: above 1 probable words gain, infinity
            takes the most probable one.
        max_length: tokens at which a sentence is cut, the 0 at its end counted.
        n_best: sentences to return of each image, at most ``num_samples``. Two may be the same.
        min_length: words before a sentence may end.
        forbidden: words that never come up.
        word_log_probs: also return the log-probability of each word.
        batch_size: images that are run together; as many as a bounded memory holds when None.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.
        generator: the source of chance, torch's own when None.

    Raises:
        TypeError: ``captioner`` is no Captioner, or a dtype is wrong.
        ValueError: an option is out of range or a shape is wrong.
    """
    check_captioner(captioner)
    check_count("num_samples", num_samples)
    check_count("n_best", n_best)
    if n_best > num_samples:
        raise ValueError(f"n_best: expected at most num_samples = {num_samples}, got {n_best}")
    if not temperature > 0:
        raise ValueError(f"temperature: expected a number above 0, got {temperature!r}")
    limits = Limits(captioner, max_length, min_length, forbidden)
    with evaluating(captioner):
        pieces = []
        for feature, batch in image_pieces(captioner, images, num_samples, batch_size):
            net = StepNet(captioner, feature, backend)
            tokens, word_values = _draw(
                net, batch, num_samples, max_length, limits, temperature, generator
            )
            pieces.append(_best(tokens, word_values, n_best))
        tokens, log_probs, word_values = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    lengths = (tokens >= 0).sum(2)
    return Captions(tokens, lengths, log_probs, word_values if word_log_probs else None)


def _draw(
    net: StepNet,
    batch: int,
    num_samples: int,
    max_length: int,
    limits: Limits,
    temperature: float,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Sentences (B, num_samples, max_length), padded with -1, and each word's log-probability."""
    device = net.device
    images = torch.arange(batch, device=device)
    words = torch.zeros_like(images)
    state = net.step(net.start(), torch.full_like(images, -1), words, images)
    values = net.log_probs(state)
    # All samples of an image share their first step.
    rows = torch.arange(batch * num_samples, device=device)
    parents = rows // num_samples
    draws = values[parents]
    live = torch.ones_like(rows, dtype=torch.bool)
    tokens = rows.new_full((len(rows), max_length), -1)
    word_values = draws.new_zeros(tokens.shape)
    for step in range(max_length):
        words = _choose(draws, limits.forbidden(step), temperature, generator)
        tokens[rows, step] = words.masked_fill(~live, -1)
        chosen = draws.gather(1, words.unsqueeze(1)).squeeze(1)
        word_values[rows, step] = chosen.masked_fill(~live, 0)
        live = live & (words != 0)
        if step + 1 == max_length or (may_look(step + 1, device) and not bool(live.any())):
            break
        if device.type == "cpu":
            going = live.nonzero().squeeze(1)
            rows, words, parents, live = rows[going], words[going], parents[going], live[going]
        state = net.step(state, parents, words, rows // num_samples)
        draws = net.log_probs(state)
        parents = torch.arange(len(rows), device=device)
    shape = (batch, num_samples, max_length)
    return tokens.view(shape), word_values.view(shape)


def _choose(
    log_probs: Tensor,
    forbidden: Tensor | None,
    temperature: float,
    generator: torch.Generator | None,
) -> Tensor:
    """A word (N,) of each row."""
    if forbidden is not None:
        log_probs = log_probs.masked_fill(forbidden, -torch.inf)
    if temperature == torch.inf:
        return log_probs.argmax(1)
    probabilities = (temperature * log_probs).softmax(1)
    # As torch.multinomial draws, which looks at the probabilities first and so waits for a GPU.
    waits = torch.empty_like(probabilities).exponential_(generator=generator)
    return (probabilities / waits).argmax(1)


def _best(tokens: Tensor, word_values: Tensor, n_best: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, log-probabilities and each word's of the n best of each image, best first."""
    totals = word_values.double().sum(2)
    ranked = totals.sort(dim=1, descending=True, stable=True)
    order: Tensor = ranked.indices[:, :n_best]
    words = order.unsqueeze(2).expand(*order.shape, tokens.shape[2])
    log_probs = totals.gather(1, order).to(word_values.dtype)
    return tokens.gather(1, words), log_probs, word_values.gather(1, words)
