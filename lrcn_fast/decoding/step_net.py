"""A captioner that is run word by word, on rows that come and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.backends import OpSpec, choose
from lrcn_fast.decoding.gate_table import gate_table
from lrcn_fast.models import Captioner
from lrcn_fast.ops.linear import project

__all__ = ["State", "StepNet", "evaluating", "static_gates"]

State = list[tuple[Tensor, Tensor]]
"""h and c of each layer, each (rows, H)."""


@contextmanager
def evaluating(captioner: Captioner) -> Iterator[None]:
    """Evaluation mode without gradients and autocast, and back to each module's own mode."""
    training = [module for module in captioner.modules() if module.training]
    captioner.eval()
    device_type = captioner.predict.weight.device.type
    # What is kept for later searches must not be a tensor of somebody's inference mode: those can
    # only be written to inside it.
    plain = torch.inference_mode(False)
    try:
        with plain, torch.no_grad(), torch.autocast(device_type, enabled=False):
            yield
    finally:
        for module in training:
            module.training = True


def static_gates(captioner: Captioner, layer: int, feature: Tensor | None) -> Tensor:
    """What a layer adds to its gates at every step: (B, 4H) where the image enters, else (1, 4H).

    The first layer's biases are not in it: they come with its input.
    """
    lstm = captioner.layers[layer]
    bias = None if layer == 0 else lstm.bias_ih_l0 + lstm.bias_hh_l0
    if layer == captioner.config.image_layer and feature is not None:
        return project(feature, lstm.weight_is_l0, bias)
    if bias is None:
        bias = torch.zeros_like(lstm.bias_ih_l0)
    return bias.unsqueeze(0)


class StepNet:
    """One step at a time for rows, each of them a sentence of one of B images.

    Args:
        captioner: the weights.
        feature: (B, S), or None for the language model.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.
    """

    def __init__(self, captioner: Captioner, feature: Tensor | None, backend: str | None) -> None:
        # Not the captioner itself, with which a kept net is to go.
        self._layers = [(layer.weight_hh_l0, layer.weight_ih_l0) for layer in captioner.layers]
        self._predict = (captioner.predict.weight, captioner.predict.bias)
        self._table = gate_table(captioner)
        self._static = [
            static_gates(captioner, layer, feature) for layer in range(captioner.config.num_layers)
        ]
        self._step = self._operator("lstm_step", backend)
        self._top_k = self._operator("vocabulary_top_k", backend)
        self.operators = (self._step, self._top_k)

    def _operator(self, name: str, backend: str | None) -> Any:
        weight = self._predict[0]
        spec = OpSpec(weight.device.type, weight.dtype, name)
        return getattr(torch.ops.lrcn_fast, name + choose(spec, backend).suffix).default

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._predict[0].device

    def start(self, rows: int = 0) -> State:
        """A state of zeros; every sentence begins from one without rows."""
        shape = (rows, self._predict[0].shape[1])
        return [
            (self._predict[0].new_zeros(shape), self._predict[0].new_zeros(shape))
            for _ in self._layers
        ]

    def show(self, other: "StepNet") -> None:
        """Write the images of ``other``, a net of the same captioner, over those of this one."""
        for mine, its in zip(self._static, other._static, strict=True):
            mine.copy_(its)

    def step(self, state: State, parents: Tensor, words: Tensor, images: Tensor) -> State:
        """Read a word in each of N rows.

        Args:
            state: of the step before.
            parents: (N,) the row of ``state`` that each row goes on from; -1 begins a sentence.
            words: (N,) the words to read.
            images: (N,) the image of each row.
        """
        after: State = []
        inputs: tuple[Tensor | None, ...] = (None, None, self._table.fill(words), words)
        for (weight_hh, _), static, (h, c) in zip(self._layers, self._static, state, strict=True):
            which = images if static.shape[0] > 1 else torch.zeros_like(images)
            h, c = self._step(h, c, parents, weight_hh, *inputs, static, which)
            after.append((h, c))
            above = len(after)
            if above < len(state):
                inputs = (h, self._layers[above][1], None, None)
        return after

    def top_k(self, state: State, k: int, forbidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """Log-probabilities and words (N, k) of the best next words."""
        log_probs, words = self._top_k(state[-1][0], *self._predict, k, forbidden)
        return log_probs, words

    def log_probs(self, state: State) -> Tensor:
        """Log-probabilities (N, V) of all words, at least float32."""
        scores = project(state[-1][0], *self._predict)
        return (scores if scores.dtype == torch.float64 else scores.float()).log_softmax(1)
