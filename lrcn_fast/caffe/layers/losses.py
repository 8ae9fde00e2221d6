"""Softmax, SoftmaxWithLoss and Accuracy."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Layer, Shape, axis_of

__all__ = ["Accuracy", "Softmax", "SoftmaxWithLoss"]

FULL, VALID, BATCH_SIZE = 0, 1, 2
# Caffe takes the logarithm of no probability below the least normal float32.
LARGEST_LOSS = -math.log(torch.finfo(torch.float32).tiny)


class Softmax(Layer):
    """Probabilities along an axis."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        self.axis = axis_of(layer.softmax_param.axis, len(shapes[0]))

    def forward(self, x: Tensor) -> Tensor:
        return x.softmax(self.axis)


class _Labelled(Layer):
    """Scores with K classes along an axis, and a label for each position of the other axes."""

    bottoms = (2,)

    def __init__(self, layer: Any, shapes: Sequence[Shape], axis: int, given: Any) -> None:
        super().__init__(layer, shapes)
        self.axis = axis_of(axis, len(shapes[0]))
        self.ignored = given.ignore_label if given.HasField("ignore_label") else None

    def _arranged(self, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (M, K, P), labels (M, P), those that are ignored as 0, and which ones count."""
        before, after = scores.shape[: self.axis], scores.shape[self.axis + 1 :]
        outer, classes, inner = math.prod(before), scores.shape[self.axis], math.prod(after)
        if labels.numel() != outer * inner:
            raise CaffeError(
                f"expected {outer * inner} labels for scores of shape {tuple(scores.shape)} "
                f"with classes along axis {self.axis}, got shape {tuple(labels.shape)}"
            )
        scores = scores.reshape(outer, classes, inner)
        labels = labels.reshape(outer, inner).long()
        counting = torch.ones_like(labels, dtype=torch.bool)
        if self.ignored is not None:
            counting = labels != self.ignored
            labels = labels.masked_fill(~counting, 0)
            # What lies at an ignored position, a NaN too, must reach no gradient.
            scores = scores.masked_fill(~counting.unsqueeze(1), 0.0)
        # On a GPU this check would wait for the device; there the kernel asserts it.
        if labels.device.type == "cpu" and labels.numel():
            lowest, highest = (int(bound) for bound in labels.aminmax())
            if lowest < 0 or highest >= classes:
                raise CaffeError(
                    f"expected labels 0 to {classes - 1}, got values from {lowest} to {highest}"
                )
        return scores, labels, counting


class SoftmaxWithLoss(_Labelled):
    """Cross-entropy of labels, times ``loss_weight``; a second top gets the probabilities."""

    tops = (1, 2)

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        given = layer.loss_param
        super().__init__(layer, shapes, layer.softmax_param.axis, given)
        self.normalization = given.normalization
        if given.HasField("normalize") and not given.HasField("normalization"):
            self.normalization = VALID if given.normalize else BATCH_SIZE
        self.loss_weight = layer.loss_weight[0] if layer.loss_weight else 1.0
        if any(layer.loss_weight[1:]):
            raise CaffeError("loss_weight: expected one for the first top alone")
        self.with_probabilities = len(layer.top) == 2

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        arranged, targets, counting = self._arranged(scores, labels)
        losses = -arranged.log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1)
        # The bound shows in the value alone: Caffe's gradient knows nothing of it.
        losses = losses - (losses - losses.clamp(max=LARGEST_LOSS)).detach()
        losses = losses.masked_fill(~counting, 0.0)
        loss = losses.sum() / self._divisor(counting) * self.loss_weight
        return (loss, scores.softmax(self.axis)) if self.with_probabilities else loss

    def _divisor(self, counting: Tensor) -> Tensor | int:
        if self.normalization == VALID:
            return counting.sum().clamp(min=1)
        if self.normalization == FULL:
            return max(counting.numel(), 1)
        return max(counting.shape[0], 1) if self.normalization == BATCH_SIZE else 1


class Accuracy(_Labelled):
    """Share of the labels that are among the ``top_k`` best scores; a tie is a miss."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        given = layer.accuracy_param
        super().__init__(layer, shapes, given.axis, given)
        self.top_k = given.top_k

    @torch.no_grad()
    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        arranged, targets, counting = self._arranged(scores, labels)
        others = (arranged >= arranged.gather(1, targets.unsqueeze(1))).sum(1) - 1
        hits = (others < self.top_k) & counting
        share: Tensor = hits.sum() / counting.sum().clamp(min=1)
        return share.to(scores.dtype)
