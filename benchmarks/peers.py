"""The implementations under test, and the work that each one is given: same weights, same input."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .shapes import Case, Shape

ModuleFactory = Callable[..., nn.Module]


@dataclass(frozen=True)
class Peer:
    """An implementation: factories with the signatures of torch.nn.LSTM and torch.nn.LSTMCell."""

    name: str
    lstm: ModuleFactory
    cell: ModuleFactory
    # Around everything that the implementation runs.
    within: Callable[[], AbstractContextManager[None]] = nullcontext

    def build(
        self, shape: Shape, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> nn.Module:
        """A module of this shape, time-major, in ``dtype`` on ``device``, freshly initialised."""
        if shape.cell:
            return self.cell(shape.input_size, shape.hidden_size, device=device, dtype=dtype)
        return self.lstm(
            shape.input_size,
            shape.hidden_size,
            num_layers=shape.num_layers,
            bidirectional=shape.bidirectional,
            device=device,
            dtype=dtype,
        )


TORCH = Peer("torch", nn.LSTM, nn.LSTMCell)


def lrcn_fast_peer() -> Peer:
    """lrcn_fast's modules, imported on demand: drawing and reporting need no build."""
    import lrcn_fast

    return Peer("lrcn_fast", lrcn_fast.LSTM, lrcn_fast.LSTMCell)


@dataclass(frozen=True)
class Inputs:
    """Tensors that all peers share: input (T,B,I), h0 and c0 (L*D,B,H), grad_output (T,B,D*H).

    A cell has no time and no layer dimension: (B,I), (B,H), (B,H), (B,H).
    """

    input: Tensor
    h0: Tensor
    c0: Tensor
    grad_output: Tensor
    state_dict: dict[str, Tensor]

    @classmethod
    def make(
        cls,
        shape: Shape,
        dtype: torch.dtype,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> Inputs:
        """Random inputs and torch.nn.LSTM's own initial weights, both rounded to ``dtype``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            weights = TORCH.build(shape, torch.float32, device).state_dict()
            lead = (shape.batch,) if shape.cell else (shape.steps, shape.batch)
            layers = () if shape.cell else (shape.num_layers * shape.directions,)
            state = (*layers, shape.batch, shape.hidden_size)
            tensors = [
                torch.randn(*lead, shape.input_size, device=device),
                torch.rand(state, device=device) * 2 - 1,
                torch.randn(state, device=device),
                torch.randn(*lead, shape.directions * shape.hidden_size, device=device),
            ]
        rounded = {name: weight.to(dtype) for name, weight in weights.items()}
        x, h0, c0, grad_output = (tensor.to(dtype) for tensor in tensors)
        return cls(x, h0, c0, grad_output, rounded)

    def to(self, dtype: torch.dtype) -> Inputs:
        """The same values in another dtype: float64 gives the oracle exactly what the peers get."""
        return Inputs(
            self.input.to(dtype),
            self.h0.to(dtype),
            self.c0.to(dtype),
            self.grad_output.to(dtype),
            {name: weight.to(dtype) for name, weight in self.state_dict.items()},
        )


class Job:
    """One peer with one case: ``run`` is what is timed, ``results`` is what is checked."""

    def __init__(self, peer: Peer, case: Case, inputs: Inputs) -> None:
        self.peer = peer
        self.case = case
        self.module = peer.build(case.shape, inputs.input.dtype, inputs.input.device)
        self.module.load_state_dict(inputs.state_dict, strict=True)
        self.module.train(case.mode == "training")
        self.input = inputs.input.detach().requires_grad_(case.mode == "training")
        self.grad_output = inputs.grad_output
        self.initial = (inputs.h0, inputs.c0)
        self.state = self.initial
        self.names = ("input", *(name for name, _ in self.module.named_parameters()))
        runners = {"inference": self._infer, "training": self._train, "step": self._step}
        self._runner = runners[case.mode]

    def run(self) -> tuple[Tensor, ...]:
        """What is timed."""
        with self.peer.within():
            return self._runner()

    def _infer(self) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            output, (h_n, c_n) = self.module(self.input)
        return output, h_n, c_n

    def _train(self) -> tuple[Tensor, ...]:
        output, (h_n, c_n) = self.module(self.input)
        wanted = (self.input, *self.module.parameters())
        grads = torch.autograd.grad(output, wanted, self.grad_output)
        return output, h_n, c_n, *grads

    def _step(self) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            result = self.module(self.input, self.state)
        if self.case.shape.cell:
            h, c = self.state = result
            return h, c
        output, self.state = result
        return output, *self.state

    def results(self, steps: int = 4) -> dict[str, Tensor]:
        """Everything that one run computes, by name; a step case makes ``steps`` steps."""
        self.state = self.initial
        if self.case.mode != "step":
            values = self.run()
        else:
            for _ in range(steps):
                values = self.run()
        return self.named(values)

    def named(self, values: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """What ``run`` returned, by name."""
        names = ["h_n", "c_n"] if self.case.shape.cell else ["output", "h_n", "c_n"]
        if self.case.mode == "training":
            names += [f"grad of {name}" for name in self.names]
        return {name: value.detach() for name, value in zip(names, values, strict=True)}
