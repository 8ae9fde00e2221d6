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
    """One peer with one case: ``run`` is what is timed, ``results`` is what is checked.

    Subclasses call the module in another way: ``arrange`` lays out what comes in (T, B, F) before
    any time is taken, ``restore`` brings what comes out of ``run`` back into that form.
    """

    def __init__(self, peer: Peer, case: Case, inputs: Inputs) -> None:
        self.peer = peer
        self.case = case
        self.module = peer.build(case.shape, inputs.input.dtype, inputs.input.device)
        self.module.load_state_dict(inputs.state_dict, strict=True)
        self.module.train(case.mode == "training")
        self.input = self.arrange(inputs.input).detach().requires_grad_(case.input_grad)
        self.grad_output = self.arrange(inputs.grad_output)
        self.initial = (inputs.h0, inputs.c0)
        self.state = self.initial
        trained = dict(self.module.named_parameters())
        self.trained = {"input": self.input, **trained} if case.input_grad else trained
        self.outputs: tuple[str, ...] = ("output", "h_n", "c_n")
        if case.shape.cell:
            self.outputs = ("h_n", "c_n")
        elif case.shape.sequences == "cont":
            # After pieces padded to one length torch has no last cell state.
            self.outputs = ("output",)
        runners = {"inference": self._infer, "training": self._train, "step": self._step}
        self._runner = runners[case.mode]

    def arrange(self, sequences: Tensor) -> Tensor:
        """The input, or the gradient at the output, as the module has it."""
        return sequences

    def restore(self, arranged: Tensor) -> Tensor:
        """Undoes ``arrange``; zero where there is no step."""
        return arranged

    def forward(self) -> tuple[Tensor, ...]:
        """The module's call on the whole input: the output and what else is compared."""
        output, (h_n, c_n) = self.module(self.input)
        return output, h_n, c_n

    def run(self) -> tuple[Tensor, ...]:
        """What is timed."""
        with self.peer.within():
            return self._runner()

    def _infer(self) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return self.forward()

    def _train(self) -> tuple[Tensor, ...]:
        output, *states = self.forward()
        grads = torch.autograd.grad(output, list(self.trained.values()), self.grad_output)
        return output, *states, *grads

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
        names = [*self.outputs]
        if self.case.mode == "training":
            names += [f"grad of {name}" for name in self.trained]
        found = {name: value.detach() for name, value in zip(names, values, strict=True)}
        sequences = ("output", "grad of input")
        return found | {name: self.restore(found[name]) for name in sequences if name in found}


@dataclass(frozen=True)
class Peer:
    """An implementation: factories with the signatures of torch.nn.LSTM and torch.nn.LSTMCell."""

    name: str
    lstm: ModuleFactory
    cell: ModuleFactory
    # Around everything that the implementation runs.
    within: Callable[[], AbstractContextManager[None]] = nullcontext
    # How its module is called.
    job: type[Job] = Job

    def start(self, case: Case, inputs: Inputs) -> Job:
        """This implementation with a case."""
        return self.job(self, case, inputs)

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
