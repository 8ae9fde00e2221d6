"""What is measured, at the sizes of the paper."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lrcn_fast.decoding import beam_search, score
from lrcn_fast.functional import linear_cross_entropy
from lrcn_fast.models import Captioner

from .peers import TorchCaptioner, batched, prefix, tutorial

OURS, BATCHED, TUTORIAL, PREFIX = "lrcn_fast", "batched loop", "tutorial loop", "prefix loop"
TORCH, COUNTED = "torch", "torch, counted rows"
SINGLE = (TUTORIAL, PREFIX)
"""Peers that take one image after the other: timed with one, and scaled to all."""

Calls = dict[str, Callable[[], Tensor]]
Steps = dict[str, Callable[[], dict[str, Tensor]]]


@dataclass(frozen=True)
class Sizes:
    """Of the captioner."""

    vocabulary: int = 8801
    hidden: int = 1000


@dataclass(frozen=True)
class Search:
    """Beam search for sentences of ``words`` words, none of which ends before."""

    images: int
    beam: int
    words: int
    sizes: Sizes = Sizes()

    @property
    def name(self) -> str:
        """Identifier that ``--filter`` matches."""
        return f"images{self.images}-beam{self.beam}-words{self.words}"

    @property
    def peers(self) -> tuple[str, ...]:
        """All that are compared, ours first."""
        return OURS, BATCHED, TUTORIAL, PREFIX

    def scale(self, peer: str) -> int:
        """How many times a peer's call has to be made for all images."""
        return self.images if peer in SINGLE else 1

    def calls(self, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Calls:
        """By name, tokens (B, words); of the first image only from peers that take one."""
        captioner, net = _captioner(self.sizes, dtype, device)
        images = self._features().to(device, dtype)
        options = (self.beam, self.words)

        def ours() -> Tensor:
            return beam_search(captioner, images, *options, min_length=self.words).tokens[:, 0]

        return {
            OURS: ours,
            BATCHED: lambda: batched(net, images, *options),
            TUTORIAL: lambda: tutorial(net, images[:1], *options),
            PREFIX: lambda: prefix(net, images[:1], *options),
        }

    def likelihood(self, tokens: Tensor, device: str = "cpu") -> float:
        """The mean log-probability of each image's sentence (B, words), in float64."""
        captioner, _ = _captioner(self.sizes, torch.float64, device)
        images = self._features().to(device, torch.float64)
        return float(score(captioner, images, tokens).diagonal().mean())

    def _features(self) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(self.images, self.sizes.hidden, generator=generator)


@functools.lru_cache(2)
def _captioner(sizes: Sizes, dtype: torch.dtype, device: str) -> tuple[Captioner, TorchCaptioner]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        size = sizes.hidden
        captioner = Captioner(
            sizes.vocabulary, "2f", embed_size=size, hidden_size=size, image_size=size
        )
    with torch.no_grad():
        # Scores as far apart as a trained net's: roundings do not change the words.
        captioner.predict.weight.mul_(10)
    captioner = captioner.to(device, dtype).eval()
    return captioner, TorchCaptioner(captioner).to(device, dtype).eval()


@dataclass(frozen=True)
class Loss:
    """The loss over the vocabulary and all its gradients, half of the positions ignored."""

    steps: int = 20
    batch: int = 100
    sizes: Sizes = Sizes()
    name: str = "loss"
    peers: tuple[str, ...] = (OURS, TORCH, COUNTED)

    def scale(self, peer: str) -> int:
        """Every call is the whole of it."""
        return 1

    def calls(self, dtype: torch.dtype = torch.float32) -> Steps:
        """By name, the loss and its gradients."""
        generator = torch.Generator().manual_seed(0)
        words, size = self.sizes.vocabulary, self.sizes.hidden
        rows = self.steps * self.batch
        hidden = torch.randn(rows, size, generator=generator).to(dtype).requires_grad_()
        weight = (0.03 * torch.randn(words, size, generator=generator)).to(dtype).requires_grad_()
        bias = torch.zeros(words, dtype=dtype, requires_grad=True)
        targets = torch.randint(words, (rows,), generator=generator)
        targets[torch.rand(rows, generator=generator) < 0.5] = -1

        def counted() -> Tensor:
            kept = (targets >= 0).nonzero().squeeze(1)
            return F.cross_entropy(F.linear(hidden[kept], weight, bias), targets[kept])

        losses = {
            OURS: lambda: linear_cross_entropy(hidden, weight, bias, targets),
            TORCH: lambda: F.cross_entropy(
                F.linear(hidden, weight, bias), targets, ignore_index=-1
            ),
            COUNTED: counted,
        }

        def step(loss: Callable[[], Tensor]) -> dict[str, Tensor]:
            value = loss()
            grads = torch.autograd.grad(value, (hidden, weight, bias))
            names = ("hidden", "weight", "bias")
            return {"loss": value.detach(), **dict(zip(names, grads, strict=True))}

        return {name: functools.partial(step, loss) for name, loss in losses.items()}


Row = Search | Loss
ROWS: tuple[Row, ...] = (
    *(Search(b, k, n) for b in (1, 8, 64) for k in (1, 5) for n in (12, 20)),
    Loss(),
)
