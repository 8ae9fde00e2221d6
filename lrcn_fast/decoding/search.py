"""The loop of a beam search: the rows that go on, or all of them without waiting for a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from lrcn_fast.decoding import graphs
from lrcn_fast.decoding.beams import Beams
from lrcn_fast.decoding.options import Limits, may_look
from lrcn_fast.decoding.step_net import State, StepNet
from lrcn_fast.models import Captioner

__all__ = ["Search", "searching"]


class Search:
    """Beams, the net that scores their words, and the state of all rows (B*K)."""

    def __init__(self, net: StepNet, beams: Beams, limits: Limits) -> None:
        self.net = net
        self.beams = beams
        self._limits = limits
        self._state: State = []
        self._advance: graphs.Call | None = None

    def run(self) -> None:
        """Run from the start until all sentences are finished."""
        device = self.net.device
        record = graphs.recorder(device)
        self.beams.begin()
        if not self.beams.images.numel():
            return
        if record is None and device.type == "cpu":
            self._run_live()
            return
        if not self._state:
            self._state = self.net.start(self.beams.images.numel())
        advance = self._step if record is None else self._recorded(record)
        for step in range(self.beams.max_length):
            if may_look(step, device) and not bool(self.beams.live.any()):
                break
            advance()

    def _recorded(self, record: graphs.Recorder) -> graphs.Call:
        if self._advance is None:
            self._advance = record(self._step, self.net.device)
            # Recording runs steps.
            self.beams.begin()
        return self._advance

    def _step(self) -> None:
        """One step of all rows, from and to the same tensors; those that are done go along."""
        beams = self.beams
        after = self.net.step(
            self._state,
            beams.parents.flatten(),
            beams.words.flatten().clamp(min=0),
            beams.images.flatten(),
        )
        forbidden = self._limits.forbidden_at(beams.step)
        values, words = self.net.top_k(after, beams.beam_size, forbidden)
        beams.select(beams.live, values.double(), words)
        for old, new in zip(self._state, after, strict=True):
            old[0].copy_(new[0])
            old[1].copy_(new[1])

    def _run_live(self) -> None:
        """Steps of the rows that have children alone."""
        beams = self.beams
        state = self.net.start()
        count = beams.images.numel()
        for step in range(beams.max_length):
            live = beams.live
            rows = live.flatten().nonzero().squeeze(1)
            if not len(rows):
                break
            state = self.net.step(
                state,
                beams.parents.flatten()[rows],
                beams.words.flatten()[rows].clamp(min=0),
                beams.images.flatten()[rows],
            )
            some = self.net.top_k(state, beams.beam_size, self._limits.forbidden(step))
            values, words = (
                each.new_zeros(count, beams.beam_size).index_copy_(0, rows, each) for each in some
            )
            # The row of each beam's state, which its children go on from.
            row_of = torch.full_like(beams.parents, -1)
            row_of.view(-1)[rows] = torch.arange(len(rows))
            beams.select(live, values.double(), words, row_of)


@contextmanager
def searching(
    captioner: Captioner,
    feature: Tensor | None,
    beams: tuple[int, int, int, float],
    limits: Limits,
    backend: str | None,
) -> Iterator[Search]:
    """A search for the images of ``feature``, a kept one where steps are recorded.

    Args:
        captioner: the weights.
        feature: (B, S), or None for the language model.
        beams: B, K, max_length and length_penalty.
        limits: of the words.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.
    """
    net = StepNet(captioner, feature, backend)
    key = (beams, limits.key, net.operators, graphs.setting(net.device))
    records = graphs.recorder(net.device) is not None
    search = graphs.take(captioner, key) if records else None
    if search is None:
        search = Search(net, Beams(*beams, captioner.predict.weight), limits)
    else:
        search.net.show(net)
    yield search
    if records:
        graphs.keep(captioner, key, search)
