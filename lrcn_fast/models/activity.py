"""Activity recognition: a CNN on every frame, an LSTM over time, class scores at every step.

:class:`ActivityRecognizer` is the network of the LRCN paper's section 4 (released as
``train_test_lstm_RGB``); :class:`FrameClassifier` is its single-frame baseline with the same CNN
(``train_test_singleFrame_RGB``).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast.models.config import ActivityConfig
from lrcn_fast.models.scores import clip_probabilities, step_loss
from lrcn_fast.nn import LSTM, FrameFeatures
from lrcn_fast.nn._evaluating import evaluating
from lrcn_fast.nn.conv_net import ConvNet

__all__ = ["ActivityRecognizer", "FrameClassifier", "State"]

State = tuple[Tensor, Tensor]
"""h_n and c_n of the LSTM, each (L, B, H)."""

SCORES_STD = 0.01


class _ClipModel(nn.Module):
    """What the recogniser and its baseline share: the CNN on all valid frames, and the loss."""

    def __init__(self, config: ActivityConfig, net: ConvNet) -> None:
        super().__init__()
        self.config = config
        self.features = FrameFeatures(net)

    def _features(
        self, frames: Tensor, lengths: Tensor | None, options: dict[str, Tensor]
    ) -> Tensor:
        if isinstance(frames, Tensor) and 0 in frames.shape[:2]:
            raise ValueError(
                f"frames: expected T and B at least 1 in (T, B, ..), got {tuple(frames.shape)}"
            )
        features: Tensor = self.features(frames, lengths=lengths, **options)
        return features

    def loss(self, scores: Tensor, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean cross-entropy of the valid steps, see :func:`lrcn_fast.models.scores.step_loss`."""
        return step_loss(scores, labels, lengths)


class ActivityRecognizer(_ClipModel):
    """CNN -> fc6 -> ReLU -> dropout -> LSTM -> dropout -> class scores at every step.

    The CNN runs inside ``features``, a :class:`lrcn_fast.nn.FrameFeatures`: set its ``max_frames``
    and ``recompute`` to bound the memory, and its ``preprocess`` to give frames of raw pixels.

    Args:
        config: all sizes; or give them by keyword (``classes``, ``net``, ``hidden_size``, ..).
        lstm: builds the recurrent layer from (input size, hidden size, layers);
            ``torch.nn.LSTM`` serves as well, without ``cont`` and ``lengths``.

    Shapes are time-major: frames (T, B, C, Y, X), scores (T, B, classes), frame t of stream b being
    row t*B + b of the CNN's batch, as in Caffe.
    """

    def __init__(
        self,
        config: ActivityConfig | None = None,
        *,
        lstm: Callable[[int, int, int], nn.Module] = LSTM,
        **sizes: Any,
    ) -> None:
        if config is not None and sizes:
            raise TypeError(f"give config or sizes by keyword, not both; got also {sorted(sizes)}")
        config = _checked(ActivityConfig(**sizes) if config is None else config)
        net = config.build_net("fc6", dropout=config.feature_dropout)
        super().__init__(config, net)
        self.lstm = lstm(net.feature_size, config.hidden_size, config.num_layers)
        self.fc8 = nn.Linear(config.hidden_size, config.classes)
        self._reset_recurrent()

    @classmethod
    def paper(cls, classes: int = 101, hidden_size: int = 256) -> "ActivityRecognizer":
        """The paper's network, see :meth:`ActivityConfig.paper`."""
        return cls(ActivityConfig.paper(classes, hidden_size))

    @classmethod
    def small(cls, classes: int, **sizes: Any) -> "ActivityRecognizer":
        """A network for CPUs, see :meth:`ActivityConfig.small`."""
        return cls(ActivityConfig.small(classes, **sizes))

    def reset_parameters(self) -> None:
        """Draw all weights anew as the configuration says."""
        assert isinstance(self.features.net, ConvNet)
        self.features.net.reset_parameters()
        if self.config.lstm_filler is None:
            self.lstm.reset_parameters()  # type: ignore[operator]
        self._reset_recurrent()

    @torch.no_grad()
    def _reset_recurrent(self) -> None:
        nn.init.normal_(self.fc8.weight, std=SCORES_STD)
        nn.init.zeros_(self.fc8.bias)
        if self.config.lstm_filler is None:
            return
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -self.config.lstm_filler, self.config.lstm_filler)

    def forward(
        self,
        frames: Tensor,
        hx: State | None = None,
        *,
        cont: Tensor | None = None,
        lengths: Tensor | None = None,
        **options: Tensor,
    ) -> tuple[Tensor, State]:
        """Score every step of a batch of clips.

        Args:
            frames: (T, B, C, Y, X), floating, preprocessed.
            hx: h and c, each (L, B, H), to carry on from; zeros when None.
            cont: (T, B), zero where a step starts a new clip.
            lengths: (B,) integer, the steps of each clip that count. The others are not computed.
            options: what the preprocessing of :class:`lrcn_fast.nn.FrameFeatures` takes for each
                frame, such as ``offsets`` (T, B, 2) and ``mirror`` (T, B): the paper trains on
                random crops and mirror images, the same for all frames of a clip.

        Returns:
            Scores (T, B, classes) and the state after the last valid step.

        Raises:
            TypeError: ``frames`` is no floating tensor; ``cont`` or ``lengths`` came and the
                recurrent layer is a ``torch.nn.LSTM``, which has neither.
            ValueError: shapes do not fit.
        """
        recurrent = {
            name: value
            for name, value in (("cont", cont), ("lengths", lengths))
            if value is not None
        }
        if recurrent and isinstance(self.lstm, nn.LSTM):
            raise TypeError(
                f"{' and '.join(recurrent)}: torch.nn.LSTM does not take this; use lrcn_fast.LSTM"
            )
        output, state = self.lstm(self._features(frames, lengths, options), hx, **recurrent)
        return self.fc8(F.dropout(output, self.config.output_dropout, self.training)), state

    @torch.no_grad()
    def predict(self, frames: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Class probabilities of each clip: the mean of its steps' softmax, without dropout.

        Args:
            frames: (T, B, C, Y, X), floating.
            lengths: (B,) integer, the steps of each clip that count.

        Returns:
            (B, classes); all zero for a clip of length 0.
        """
        with evaluating(self):
            scores, _ = self(frames, lengths=lengths)
        return clip_probabilities(scores, lengths)

    @torch.no_grad()
    def step(
        self, frames: Tensor, state: State | None = None, *, cont: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Score one more frame of each running stream, without dropout.

        Args:
            frames: (B, C, Y, X), floating.
            state: what the previous call returned; None at the start.
            cont: (B,), zero for the streams that start anew with this frame.

        Returns:
            Scores (B, classes) and the state for the next call.
        """
        if not isinstance(frames, Tensor) or frames.dim() != 4:
            got = tuple(frames.shape) if isinstance(frames, Tensor) else type(frames).__name__
            raise ValueError(f"frames: expected one step (B, C, Y, X), got {got}")
        with evaluating(self):
            scores, state = self(
                frames.unsqueeze(0), state, cont=None if cont is None else cont.unsqueeze(0)
            )
        return scores[0], state

    @torch.no_grad()
    def stream(
        self, chunks: Iterable[tuple[Tensor, Tensor | None]], state: State | None = None
    ) -> Iterator[Tensor]:
        """Score an endless video piece by piece; the same scores as :meth:`forward` on the whole.

        Args:
            chunks: (frames (T, B, C, Y, X), cont (T, B) or None), T as it comes. The batch stays
                the same, since each row carries its own state.
            state: h and c to carry on from.

        Yields:
            Scores (T, B, classes) of each chunk, without dropout.
        """
        for frames, cont in chunks:
            with evaluating(self):
                scores, state = self(frames, state, cont=cont)
            yield scores


class FrameClassifier(_ClipModel):
    """The single-frame baseline: CNN -> fc6 -> fc7 -> class scores of each frame by itself.

    Dropout follows fc6 and fc7. It takes and gives what :class:`ActivityRecognizer` does, except
    for a state, which it lacks.

    Args:
        config: all sizes; ``hidden_size`` is the width of fc7.
    """

    def __init__(self, config: ActivityConfig) -> None:
        _checked(config)
        sizes = {"fc7": config.hidden_size, "num_classes": config.classes}
        super().__init__(config, config.build_net("fc8", dropout=config.output_dropout, **sizes))

    def forward(
        self, frames: Tensor, *, lengths: Tensor | None = None, **options: Tensor
    ) -> Tensor:
        """Frames (T, B, C, Y, X) to scores (T, B, classes), each valid frame by itself.

        ``options`` are those of :class:`ActivityRecognizer`.
        """
        return self._features(frames, lengths, options)

    @torch.no_grad()
    def predict(self, frames: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Class probabilities (B, classes): the mean of the frames' softmax, without dropout."""
        with evaluating(self):
            scores = self(frames, lengths=lengths)
        return clip_probabilities(scores, lengths)


def _checked(config: ActivityConfig) -> ActivityConfig:
    if not isinstance(config, ActivityConfig):
        raise TypeError(f"config: expected an ActivityConfig, got {type(config).__name__}")
    return config
