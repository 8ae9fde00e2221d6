"""The case rows that every LSTM implementation has to get right, and builders of their tensors."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """One row: sizes and options of a single layer and direction. Frozen, so usable as an id."""

    name: str
    T: int
    B: int
    H: int
    P: int = 0
    static: bool = False
    state: bool = True
    cont: str = ""
    lengths: tuple[int, ...] | None = None
    reverse: bool = False
    batch_first: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def width(self) -> int:
        """Size of the output state: the projection's if there is one."""
        return self.P or self.H


CASES = [
    Case("plain", T=5, B=3, H=8),
    Case("zero_state", T=5, B=3, H=8, state=False),
    Case("one_unit", T=4, B=2, H=1),
    Case("one_stream", T=7, B=1, H=13),
    Case("one_step", T=1, B=4, H=9),
    Case("everything_one", T=1, B=1, H=1),
    Case("no_stream", T=4, B=0, H=5),
    Case("odd_width", T=6, B=5, H=17),
    Case("vector_width", T=4, B=6, H=32),
    Case("wide", T=3, B=9, H=70),
    Case("many_streams", T=3, B=37, H=6),
    Case("long", T=40, B=2, H=11),
    Case("batch_first", T=5, B=3, H=10, batch_first=True),
    Case("reverse", T=6, B=3, H=7, reverse=True),
    Case("reverse_batch_first", T=6, B=3, H=7, reverse=True, batch_first=True),
    Case("cont", T=9, B=4, H=6, cont="random"),
    Case("cont_from_start", T=6, B=3, H=5, cont="first"),
    Case("cont_never", T=5, B=3, H=5, cont="never"),
    Case("cont_reverse", T=9, B=4, H=6, cont="random", reverse=True),
    Case("lengths", T=7, B=5, H=9, lengths=(3, 7, 0, 1, 5)),
    Case("lengths_reverse", T=7, B=5, H=9, lengths=(3, 7, 0, 1, 5), reverse=True),
    Case("lengths_all_zero", T=3, B=2, H=4, lengths=(0, 0)),
    Case("lengths_short", T=6, B=2, H=4, lengths=(2, 3), reverse=True, state=False),
    Case("static", T=5, B=3, H=12, static=True),
    Case("static_reverse", T=5, B=3, H=12, static=True, reverse=True, batch_first=True),
    Case("projection", T=5, B=4, H=11, P=3),
    Case("projection_reverse", T=6, B=4, H=9, P=5, reverse=True, lengths=(6, 0, 2, 4)),
    Case("projection_one", T=4, B=2, H=6, P=1, cont="random"),
    Case("all", 8, 5, 19, 7, static=True, cont="random", lengths=(8, 2, 0, 5, 1), batch_first=True),
    Case("all_reverse", 8, 5, 19, 7, True, True, "random", (8, 2, 0, 5, 1), reverse=True),
]


@dataclass
class Tensors:
    """Arguments of ``lstm_forward`` for one case, and gradients to send back."""

    gates: Tensor
    weight_hh: Tensor
    weight_hr: Tensor | None
    static_gates: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    cont: Tensor | None
    lengths: Tensor | None
    reverse: bool
    batch_first: bool
    grad_output: Tensor
    grad_h_n: Tensor
    grad_c_n: Tensor
    grad_cells: Tensor

    def forward_arguments(self) -> tuple[Tensor | bool | None, ...]:
        """Positional arguments of ``lstm_forward`` up to and including batch_first."""
        return (
            self.gates,
            self.weight_hh,
            self.weight_hr,
            self.static_gates,
            self.h0,
            self.c0,
            self.cont,
            self.lengths,
            self.reverse,
            self.batch_first,
        )

    def backward_arguments(
        self, activations: Tensor, cells: Tensor
    ) -> tuple[Tensor | bool | None, ...]:
        """Positional arguments of ``lstm_backward``."""
        return (
            self.grad_output,
            self.grad_h_n,
            self.grad_c_n,
            self.grad_cells,
            activations,
            cells,
            self.weight_hh,
            self.weight_hr,
            self.c0,
            self.cont,
            self.lengths,
            self.reverse,
            self.batch_first,
        )

    def map(self, change: Callable[[Tensor], Tensor]) -> "Tensors":
        """The same row with every floating tensor replaced."""
        return Tensors(
            **{
                name: change(value)
                if isinstance(value, Tensor) and value.is_floating_point()
                else value
                for name, value in vars(self).items()
            }
        )

    def differentiable(self) -> dict[str, Tensor]:
        """The tensors that receive a gradient, by name."""
        names = ("gates", "weight_hh", "weight_hr", "static_gates", "h0", "c0")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def make_cont(kind: str, T: int, B: int, generator: torch.Generator) -> Tensor:
    """bool (T, B): "random" starts, "first" (a start at t = 0 only) or "never" (all starts)."""
    if kind == "first":
        cont = torch.ones(T, B, dtype=torch.bool)
        cont[:1] = False
        return cont
    if kind == "never":
        return torch.zeros(T, B, dtype=torch.bool)
    return torch.rand(T, B, generator=generator) > 0.35


def build(case: Case, dtype: torch.dtype, seed: int = 0) -> Tensors:
    """Draw the tensors of a case; half types are exact roundings of what float64 holds."""
    generator = torch.Generator().manual_seed(seed * 1000 + sum(map(ord, case.name)))
    T, B, H, width = case.T, case.B, case.H, case.width

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)

    def sequence(features: int) -> Tensor:
        return draw(B, T, features) if case.batch_first else draw(T, B, features)

    cont = make_cont(case.cont, T, B, generator) if case.cont else None
    if cont is not None and case.batch_first:
        cont = cont.transpose(0, 1).contiguous()
    lengths = None if case.lengths is None else torch.tensor(case.lengths, dtype=torch.int64)
    return Tensors(
        gates=sequence(4 * H),
        weight_hh=draw(4 * H, width, scale=width**-0.5),
        weight_hr=draw(case.P, H, scale=H**-0.5) if case.P else None,
        static_gates=draw(B, 4 * H) if case.static else None,
        h0=draw(B, width) if case.state else None,
        c0=draw(B, H) if case.state else None,
        cont=cont,
        lengths=lengths,
        reverse=case.reverse,
        batch_first=case.batch_first,
        grad_output=sequence(width),
        grad_h_n=draw(B, width),
        grad_c_n=draw(B, H),
        grad_cells=sequence(H),
    )
