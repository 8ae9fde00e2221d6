"""The 2f captioner with torch.nn.LSTM, and three ways to search with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast.models import Captioner

State = list[tuple[Tensor, Tensor]]


class TorchCaptioner(nn.Module):
    """The captioner 2f with the very values of ``captioner``; word 0 never comes up."""

    def __init__(self, captioner: Captioner) -> None:
        super().__init__()
        config = captioner.config
        self.embedding, self.predict = captioner.embedding, captioner.predict
        first, second = (dict(layer.named_parameters()) for layer in captioner.layers)
        entering = [second.pop("weight_ih_l0"), second.pop("weight_is_l0")]
        second["weight_ih_l0"] = torch.cat(entering, 1)
        below, above = config.hidden_size, config.hidden_size + config.image_size
        self.first = nn.LSTM(config.embed_size, below)
        self.second = nn.LSTM(above, config.hidden_size)
        self.first.load_state_dict(first)
        self.second.load_state_dict(second)

    def _log_probs(self, hidden: Tensor) -> Tensor:
        log_probs = F.log_softmax(self.predict(hidden), 1)
        log_probs[:, 0] = -torch.inf
        return log_probs

    def forward(
        self, words: Tensor, image: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Words (T, N) and images (N, S) to the last step's log-probabilities (N, V)."""
        first, second = state or (None, None)
        output, first = self.first(self.embedding(words), first)
        static = image.expand(len(words), -1, -1)
        output, second = self.second(torch.cat([output, static], 2), second)
        return self._log_probs(output[-1]), [first, second]

    def cells(self, words: Tensor, image: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of words (N,), as two LSTMCells compute it."""
        x, after = self.embedding(words), []
        for lstm, pair in zip((self.first, self.second), state, strict=True):
            after.append(torch.lstm_cell(x, pair, *lstm.all_weights[0]))
            x = torch.cat([after[-1][0], image], 1)
        return self._log_probs(after[-1][0]), after


def batched(net: TorchCaptioner, images: Tensor, beam: int, length: int) -> Tensor:
    """Tokens (B, length): all images and beams in one batch, the state indexed by the parents."""
    count = len(images)
    image = images.repeat_interleave(beam, 0)
    words = torch.zeros(1, count * beam, dtype=torch.int64, device=images.device)
    tokens = words.new_empty(count, beam, 0)
    totals = torch.full((count, beam), -torch.inf, device=images.device)
    totals[:, 0] = 0
    offsets = torch.arange(count, device=images.device).unsqueeze(1) * beam
    state: State | None = None
    for _ in range(length):
        log_probs, state = net(words, image, state)
        candidates = (totals.view(-1, 1) + log_probs).view(count, -1)
        totals, order = candidates.topk(beam, 1)
        parents, word = order // log_probs.shape[1], order % log_probs.shape[1]
        rows = (offsets + parents).flatten()
        state = [(h.index_select(1, rows), c.index_select(1, rows)) for h, c in state]
        history = tokens.gather(1, parents.unsqueeze(2).expand_as(tokens))
        tokens = torch.cat([history, word.unsqueeze(2)], 2)
        words = word.view(1, -1)
    return tokens[:, 0]


def tutorial(net: TorchCaptioner, images: Tensor, beam: int, length: int) -> Tensor:
    """Tokens (B, length): one image after the other, its beams together, with LSTMCells."""
    found = []
    for single in images:
        image = single.expand(beam, -1)
        words = torch.zeros(beam, dtype=torch.int64)
        tokens = torch.empty(beam, 0, dtype=torch.int64)
        totals = torch.zeros(beam, 1)
        zeros = torch.zeros(beam, net.first.hidden_size)
        state: State = [(zeros, zeros)] * 2
        for step in range(length):
            log_probs, state = net.cells(words, image, state)
            sums = totals + log_probs
            best, order = (sums if step else sums[0]).flatten().topk(beam)
            parents, words = order // log_probs.shape[1], order % log_probs.shape[1]
            tokens = torch.cat([tokens[parents], words.unsqueeze(1)], 1)
            state = [(h[parents], c[parents]) for h, c in state]
            totals = best.unsqueeze(1)
        found.append(tokens[0])
    return torch.stack(found)


def prefix(net: TorchCaptioner, images: Tensor, beam: int, length: int) -> Tensor:
    """Tokens (B, length): each sentence of each image is run from its beginning for each word."""
    found = []
    for image in images:
        sentences = [(0.0, [0])]
        for _ in range(length):
            grown = []
            for total, sentence in sentences:
                log_probs, _ = net(torch.tensor(sentence).unsqueeze(1), image.unsqueeze(0))
                values, words = log_probs[0].topk(beam)
                pairs = zip(values.tolist(), words.tolist(), strict=True)
                grown += [(total + value, [*sentence, word]) for value, word in pairs]
            sentences = sorted(grown, reverse=True)[:beam]
        found.append(torch.tensor(sentences[0][1][1:]))
    return torch.stack(found)
