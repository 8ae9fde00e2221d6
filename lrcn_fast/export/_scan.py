"""What the translations of the recurrence take: a layer in one direction."""

from typing import NamedTuple

import onnx_ir as ir

from lrcn_fast.export._nodes import Nodes, known_to_runtime, size_of

__all__ = ["Factors", "Results", "Scan", "linear"]

_FACTORS = "lrcn_fast.factors"


class Factors(NamedTuple):
    """Of a product that ``lrcn_fast::linear`` forms: input (.., I), weight (O, I), bias (O,)."""

    input: ir.Value
    weight: ir.Value
    bias: ir.Value | None


class Results(list[ir.Value]):
    """Of several scans, in the place of one of the operator's lists.

    Torch names all values that a translation returns, and knows no lists among them.
    """

    name: str

    def producer(self) -> None:
        """There is no one node."""


class Scan(NamedTuple):
    """The arguments of ``lrcn_fast::lstm_forward``."""

    reverse: bool
    batch_first: bool
    gates: ir.Value
    weight_hh: ir.Value
    weight_hr: ir.Value | None
    static_gates: ir.Value | None
    h0: ir.Value | None
    c0: ir.Value | None
    cont: ir.Value | None
    lengths: ir.Value | None

    @property
    def hidden(self) -> int:
        """H."""
        return size_of(self.weight_hh, 0) // 4

    @property
    def width(self) -> int:
        """P."""
        return size_of(self.weight_hh, 1)

    @property
    def factors(self) -> Factors | None:
        """Of the gates, where they are a product."""
        return factors_of(self.gates)

    @property
    def static_factors(self) -> Factors | None:
        """Of the static gates, where they are a product."""
        return None if self.static_gates is None else factors_of(self.static_gates)


def factors_of(product: ir.Value) -> Factors | None:
    found: Factors | None = product.meta.get(_FACTORS)
    return found


def linear(
    nodes: Nodes,
    input: ir.Value,
    weight: ir.Value,
    bias: ir.Value | None,
    ascending: bool = False,
) -> ir.Value:
    """``lrcn_fast::linear``; the LSTM operator takes its factors, and it goes unused."""
    compute = known_to_runtime(input.dtype)
    matrix = nodes("Transpose", nodes.cast(weight, compute), perm=[1, 0])
    product = nodes("MatMul", nodes.cast(input, compute), matrix)
    if bias is not None:
        product = nodes("Add", product, nodes.cast(bias, compute))
    if compute != input.dtype:
        product = nodes("Cast", product, to=input.dtype)
    product.meta[_FACTORS] = Factors(input, weight, bias)
    return product
