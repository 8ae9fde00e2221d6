"""Parameters of a layered LSTM as flat lists, and calls of torch.nn.LSTM to compare with."""

from dataclasses import dataclass

import torch
from torch import Tensor

import lrcn_fast


@dataclass(frozen=True)
class Layout:
    """Constructor arguments shared by torch.nn.LSTM, our LSTM and the oracle."""

    input_size: int = 5
    hidden_size: int = 7
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    bidirectional: bool = False
    proj_size: int = 0

    def __str__(self) -> str:
        words = [f"{self.input_size}-{self.hidden_size}x{self.num_layers}"]
        words += ["bidirectional"] * self.bidirectional + ["batch_first"] * self.batch_first
        words += [f"proj{self.proj_size}"] * bool(self.proj_size) + ["no_bias"] * (not self.bias)
        return "-".join(words)

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def width(self) -> int:
        """Features of one direction's output."""
        return self.proj_size or self.hidden_size

    def arguments(self) -> dict[str, int | bool]:
        """Keyword arguments of a module's constructor."""
        return dict(vars(self))

    def oracle_arguments(self) -> dict[str, int | bool]:
        """Keyword arguments of ``lrcn_fast.reference.lstm``."""
        names = ("num_layers", "bias", "batch_first", "bidirectional", "proj_size")
        return {name: getattr(self, name) for name in names}

    def torch_module(self, dtype: torch.dtype = torch.float64) -> torch.nn.LSTM:
        return torch.nn.LSTM(**self.arguments()).to(dtype)  # type: ignore[arg-type]

    def sequence(self, T: int, B: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Random input in the layout of the module."""
        shape = (B, T) if self.batch_first else (T, B)
        return torch.randn(*shape, self.input_size, dtype=dtype)

    def state(self, B: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        """Random (h_0, c_0)."""
        rows = self.num_layers * self.directions
        return (
            torch.randn(rows, B, self.width, dtype=dtype),
            torch.randn(rows, B, self.hidden_size, dtype=dtype),
        )


LAYOUTS = [
    Layout(),
    Layout(num_layers=3),
    Layout(bidirectional=True),
    Layout(num_layers=2, bidirectional=True, batch_first=True),
    Layout(proj_size=3),
    Layout(num_layers=2, bidirectional=True, proj_size=2),
    Layout(num_layers=2, bias=False),
    Layout(input_size=1, hidden_size=1),
    Layout(hidden_size=17, batch_first=True),
]


def flat_parameters(module: torch.nn.LSTM) -> list[Tensor]:
    """A module's parameters in the order of ``_flat_weights``."""
    return [parameter for group in module.all_weights for parameter in group]


def named_gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    """Gradients by parameter name; every parameter must have one."""
    gradients = {}
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name} received no gradient"
        gradients[name] = parameter.grad
    return gradients


def twins(layout: Layout) -> tuple[torch.nn.LSTM, lrcn_fast.LSTM]:
    """torch's module and ours with the same float64 weights."""
    theirs = layout.torch_module()
    ours = lrcn_fast.LSTM(**layout.arguments(), dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours
