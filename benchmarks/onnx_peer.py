"""ONNX Runtime's LSTM on the CPU as one more implementation: inference in float32."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from .peers import Peer
from .shapes import Case

NAME = "onnxruntime"
DIRECTIONS = {1: "forward", 2: "bidirectional"}


def _constants(weights: dict[str, Tensor], layers: int, directions: int) -> Iterator[Any]:
    """W (D, 4H, I), R (D, 4H, H) and B (D, 8H) of each layer, gates in ONNX' order i, o, f, c."""
    from onnx import numpy_helper

    def reordered(name: str) -> Tensor:
        i, f, g, o = weights[name].detach().chunk(4)
        return torch.cat([i, o, f, g])

    parts = {"W": ("weight_ih",), "R": ("weight_hh",), "B": ("bias_ih", "bias_hh")}
    for layer in range(layers):
        for part, kinds in parts.items():
            of_directions = [
                torch.cat([reordered(f"{kind}_l{layer}{end}") for kind in kinds])
                for end in ("", "_reverse")[:directions]
            ]
            yield numpy_helper.from_array(torch.stack(of_directions).numpy(), f"{part}_{layer}")


def _nodes(layers: int, directions: int, hidden: int, stated: bool) -> Iterator[Any]:
    """Stacked LSTM operators: x_0, and with ``stated`` h0 and c0, to x_L, h_n and c_n."""
    from onnx.helper import make_node

    def each(name: str) -> list[str]:
        return [f"{name}_{layer}" for layer in range(layers)]

    if stated:
        yield make_node("Split", ["h0"], each("h0"), axis=0)
        yield make_node("Split", ["c0"], each("c0"), axis=0)
    for layer, inputs in enumerate(zip(*map(each, ("x", "W", "R", "B")))):
        initial = ["", f"h0_{layer}", f"c0_{layer}"] if stated else []
        found = [f"{name}_{layer}" for name in ("y", "h", "c")]
        yield make_node(
            "LSTM",
            [*inputs, *initial],
            found,
            hidden_size=hidden,
            direction=DIRECTIONS[directions],
        )
        # (T, D, B, H) to (T, B, D*H).
        if directions == 2:
            yield make_node("Transpose", found[:1], [f"z_{layer}"], perm=[0, 2, 1, 3])
            yield make_node("Reshape", [f"z_{layer}", "merged"], [f"x_{layer + 1}"])
        else:
            yield make_node("Squeeze", [found[0], "second"], [f"x_{layer + 1}"])
    yield make_node("Concat", each("h"), ["h_n"], axis=0)
    yield make_node("Concat", each("c"), ["c_n"], axis=0)


def _model(weights: dict[str, Tensor], layers: int, directions: int, stated: bool) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    width, hidden = (weights[f"weight_{kind}_l0"].shape[1] for kind in ("ih", "hh"))
    state = (layers * directions, "B", hidden)

    def declared(**named: tuple[int | str, ...]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
            for name, sizes in named.items()
        ]

    last = {f"x_{layers}": ("T", "B", directions * hidden), "h_n": state, "c_n": state}
    first: dict[str, tuple[int | str, ...]] = {"x_0": ("T", "B", width)}
    name, numbers = ("merged", [0, 0, -1]) if directions == 2 else ("second", [1])
    graph = helper.make_graph(
        list(_nodes(layers, directions, hidden, stated)),
        "lstm",
        declared(**first, **({"h0": state, "c0": state} if stated else {})),
        declared(**last),
        [
            *_constants(weights, layers, directions),
            numpy_helper.from_array(torch.tensor(numbers).numpy(), name),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


class _Session:
    """ONNX Runtime with the weights of a module, and as many threads as torch has.

    They spin within a call alone, so as not to take time from others.
    """

    def __init__(self, weights: dict[str, Tensor], layers: int, directions: int, stated: bool):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model = _model(weights, layers, directions, stated)
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, **inputs: Tensor) -> Iterator[Tensor]:
        """Output, h_n and c_n."""
        feed = {name: value.numpy() for name, value in inputs.items()}
        return map(torch.from_numpy, self._session.run(None, feed))


class OnnxLSTM(nn.LSTM):
    """torch.nn.LSTM's parameters; the weights of the first call stay."""

    _session: _Session | None = None

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> Any:
        """Run the LSTM over (T, B, I)."""
        if self._session is None:
            directions = 2 if self.bidirectional else 1
            weights = dict(self.named_parameters())
            self._session = _Session(weights, self.num_layers, directions, hx is not None)
        states = {} if hx is None else {"h0": hx[0], "c0": hx[1]}
        output, *last = self._session(x_0=input, **states)
        return output, tuple(last)


class OnnxCell(nn.LSTMCell):
    """torch.nn.LSTMCell's parameters, in the same operator; the weights of the first call stay."""

    _session: _Session | None = None

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> Any:
        """One step on (B, I) from a given state."""
        if self._session is None:
            weights = {f"{name}_l0": weight for name, weight in self.named_parameters()}
            self._session = _Session(weights, 1, 1, True)
        h0, c0 = hx or ()
        _, *last = self._session(x_0=input.unsqueeze(0), h0=h0.unsqueeze(0), c0=c0.unsqueeze(0))
        return tuple(state.squeeze(0) for state in last)


PEER = Peer(NAME, OnnxLSTM, OnnxCell)


def runs(case: Case, dtype: torch.dtype) -> bool:
    """Whether it has a row: inference of padded sequences and single steps, in float32."""
    return dtype == torch.float32 and case.mode != "training" and case.shape.sequences == "padded"


def missing() -> str | None:
    """Which package it needs and is not installed, None where all are."""
    lacking = [name for name in ("onnx", NAME) if find_spec(name) is None]
    return f"{' and '.join(lacking)} not installed" if lacking else None
