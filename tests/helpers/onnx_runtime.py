"""Running an exported model in ONNX Runtime, and holding it to torch."""

from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

import lrcn_fast
from tests.helpers.tolerance import assert_no_worse_than_torch

SIZES = ((5, 3), (9, 2), (2, 7), (1, 1))
"""T and B; models are exported at the first."""


def operators(program: torch.onnx.ONNXProgram) -> Counter[str]:
    """How often each operator is in the main graph; none may be of another domain than ONNX's."""
    nodes = program.model_proto.graph.node
    assert {node.domain for node in nodes} <= {""}
    return Counter(node.op_type for node in nodes)


def directions(program: torch.onnx.ONNXProgram) -> list[str]:
    """The directions of the LSTM operators."""
    return [
        attribute.s.decode()
        for node in program.model_proto.graph.node
        for attribute in node.attribute
        if node.op_type == "LSTM" and attribute.name == "direction"
    ]


def session_of(model: onnx.ModelProto | str) -> onnxruntime.InferenceSession:
    """A session on one thread, of a model that ONNX's checker has passed."""
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    source = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, arguments: Any) -> list[Tensor]:
    """The results of a session for nested arguments; those that are None are no inputs."""
    tensors = [leaf for leaf in tree_leaves(arguments) if leaf is not None]
    names = [each.name for each in session.get_inputs()]
    feeds = {name: x.numpy() for name, x in zip(names, tensors, strict=True)}
    return [torch.from_numpy(result) for result in session.run(None, feeds)]


def assert_session_equals(
    session: onnxruntime.InferenceSession,
    model: torch.nn.Module,
    arguments: Iterable[tuple[Any, ...]],
    rounded_to: torch.dtype | None = None,
) -> None:
    """Results are no worse than those of torch's own operations in the model's dtype.

    Args:
        session: of the exported model.
        model: in evaluation mode.
        arguments: of several calls.
        rounded_to: the dtype that values of the results are of, where theirs is wider.
    """
    double: Callable[[Any], Any] = lambda x: x.double() if _floating(x) else x  # noqa: E731
    exact_model = deepcopy(model).double()
    for number, given in enumerate(arguments):
        with torch.no_grad(), lrcn_fast.use_backend("reference"):
            torch_results = tree_leaves(model(*given))
            exact = tree_leaves(exact_model(*tree_map(double, given)))
        results = run(session, given)
        assert len(results) == len(exact)
        for index, triple in enumerate(zip(results, torch_results, exact, strict=True)):
            actual, theirs = (x if rounded_to is None else x.to(rounded_to) for x in triple[:2])
            assert_no_worse_than_torch(actual, theirs, triple[2], f"call {number}, result {index}")


def _floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
