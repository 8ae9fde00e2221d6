"""LSTM and RNN: x (T, B, ..), cont (T, B), and by option x_static (B, ..) and states."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lrcn_fast import functional
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Layer, Shape

__all__ = ["LSTM", "RNN", "Recurrent"]

States = tuple[Tensor, ...]
"""Each (1, B, H)."""


class Recurrent(Layer):
    """A recurrent layer that keeps its states from call to call, as Caffe does.

    The states of the last step are those that the next call begins with; ``cont`` zero at its first
    step starts anew. No gradient goes from call to call. With ``expose_hidden`` the states are
    bottoms and tops instead; Caffe sends no gradient through these either.
    """

    bottoms = tops = ()
    states: int
    weight_ih: Tensor
    weight_is: Tensor
    weight_hh: Tensor

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.recurrent_param
        self.exposed = given.expose_hidden
        exposed = self.states if self.exposed else 0
        count = len(shapes) - exposed
        if count not in (2, 3) or len(layer.top) != 1 + exposed:
            raise CaffeError(
                f"expected bottoms x, cont, x_static or none, and {exposed} states, and "
                f"{1 + exposed} tops, got {len(shapes)} bottoms and {len(layer.top)} tops"
            )
        if len(shapes[0]) < 2:
            raise CaffeError(f"expected x of shape (T, B, ..), got {shapes[0]}")
        self.hidden = given.num_output
        self.static = count == 3
        self._kept: States | None = None
        self._add_blobs(
            math.prod(shapes[0][2:]), math.prod(shapes[2][1:]) if self.static else 0, given
        )

    def _add_blobs(self, inputs: int, static: int, given: Any) -> None:
        raise NotImplementedError

    def _run(
        self, x: Tensor, cont: Tensor, static: Tensor | None, states: States | None
    ) -> tuple[Tensor, States]:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the states: the next call begins with zeros."""
        self._kept = None

    def forward(self, x: Tensor, cont: Tensor, *rest: Tensor) -> Tensor | States:
        static = rest[0].flatten(1) if self.static else None
        if cont.shape != x.shape[:2]:
            raise CaffeError(
                f"cont: expected shape (T, B) = {tuple(x.shape[:2])}, got {tuple(cont.shape)}"
            )
        states = self._started(x, cont, rest)
        output, last = self._run(
            x.flatten(2) if x.dim() > 2 else x[..., None], cont, static, states
        )
        last = tuple(state.detach() for state in last)
        if self.exposed:
            return (output, *last)
        self._kept = last
        return output

    def _started(self, x: Tensor, cont: Tensor, rest: Sequence[Tensor]) -> States | None:
        if self.exposed:
            return tuple(state.detach().to(x) for state in rest[-self.states :])
        if self._kept is None:
            return None
        streams = self._kept[0].shape[1]
        if streams == x.shape[1]:
            # Tensors of inference mode cannot take part in a graph, copies of them can.
            return tuple(
                state.clone() if state.is_inference() else state
                for state in (state.to(x) for state in self._kept)
            )
        if bool(cont[0].any()):
            raise CaffeError(
                f"cont goes on with {x.shape[1]} streams where the last call had {streams}; "
                "reset() the net first"
            )
        return None


class LSTM(Recurrent):
    """Blobs W_xc (4H, I), b_c (4H,), W_xc_static (4H, S) where there is one, W_hc (4H, H)."""

    states = 2
    bias: Tensor

    def _add_blobs(self, inputs: int, static: int, given: Any) -> None:
        rows = 4 * self.hidden
        self.add_blob("weight_ih", (rows, inputs), given.weight_filler)
        self.add_blob("bias", (rows,), given.bias_filler)
        if self.static:
            self.add_blob("weight_is", (rows, static), given.weight_filler)
        self.add_blob("weight_hh", (rows, self.hidden), given.weight_filler)
        self.gate_blobs = frozenset(self.blob_names)

    def _run(
        self, x: Tensor, cont: Tensor, static: Tensor | None, states: States | None
    ) -> tuple[Tensor, States]:
        params = [self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias)]
        if static is not None:
            params.append(self.weight_is)
        start = None if states is None else (states[0], states[1])
        output, last = functional.lstm(x, start, params, cont=cont, static=static)
        return output, last


class RNN(Recurrent):
    """h = tanh(W_hh h + W_xh x + b_h), output tanh(W_ho h + b_o).

    Blobs W_xh (H, I), b_h (H,), W_xh_static (H, S) where there is one, W_hh (H, H), W_ho (H, H),
    b_o (H,).
    """

    states = 1
    bias_h: Tensor
    weight_ho: Tensor
    bias_o: Tensor

    def _add_blobs(self, inputs: int, static: int, given: Any) -> None:
        self.add_blob("weight_ih", (self.hidden, inputs), given.weight_filler)
        self.add_blob("bias_h", (self.hidden,), given.bias_filler)
        if self.static:
            self.add_blob("weight_is", (self.hidden, static), given.weight_filler)
        self.add_blob("weight_hh", (self.hidden, self.hidden), given.weight_filler)
        self.add_blob("weight_ho", (self.hidden, self.hidden), given.weight_filler)
        self.add_blob("bias_o", (self.hidden,), given.bias_filler)

    def _run(
        self, x: Tensor, cont: Tensor, static: Tensor | None, states: States | None
    ) -> tuple[Tensor, States]:
        inputs = x @ self.weight_ih.t() + self.bias_h
        if static is not None:
            inputs = inputs + static @ self.weight_is.t()
        # A file may claim any number of steps, and on meta there is nothing to compute.
        if x.is_meta:
            return torch.empty_like(inputs), (torch.empty_like(inputs[:1]),)
        h = torch.zeros_like(inputs[0]) if states is None else states[0][0]
        steps = []
        for step, going_on in zip(inputs, cont.bool().unsqueeze(2)):
            h = torch.tanh(step + torch.where(going_on, h, 0.0) @ self.weight_hh.t())
            steps.append(h)
        hidden = torch.stack(steps)
        return torch.tanh(hidden @ self.weight_ho.t() + self.bias_o), (hidden[-1:],)
