"""LSTMs in ONNX: the standard operator, any T and B, ONNX Runtime's results."""

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcn_fast
from lrcn_fast.export import onnx_translations, to_onnx
from tests.helpers.exported import Call
from tests.helpers.modules import LAYOUTS, Layout
from tests.helpers.onnx_runtime import (
    SIZES,
    assert_session_equals,
    directions,
    operators,
    run,
    session_of,
)

# What ONNX's operator can say, and the directions of those that it becomes.
PLAIN = [
    (Call(), ["forward"]),
    (Call(states=False), ["forward"]),
    (Call(Layout(bias=False, num_layers=3)), ["forward"] * 3),
    (Call(Layout(bidirectional=True, batch_first=True, num_layers=2)), ["bidirectional"] * 2),
    (Call(names=("lengths",)), ["forward"]),
    (Call(Layout(batch_first=True), ("static",), states=False), ["forward"]),
    (Call(Layout(bidirectional=True, bias=False), ("static", "lengths")), ["bidirectional"]),
]
# What it has not.
SCANNED = [
    Call(names=("cont",)),
    Call(cells=True, states=False),
    Call(Layout(proj_size=3, batch_first=True)),
    Call(Layout(num_layers=2, bidirectional=True), ("cont", "static", "lengths"), cells=True),
]


def exported(call: Call, model: torch.nn.Module, dtype: torch.dtype) -> torch.onnx.ONNXProgram:
    return to_onnx(model, call.arguments(*SIZES[0], dtype), dynamic_shapes=call.dynamic_shapes())


@pytest.mark.parametrize("call, expected", PLAIN, ids=str)
def test_standard_operator(call: Call, expected: list[str]) -> None:
    model = call.module(torch.float32)
    program = exported(call, model, torch.float32)
    found = operators(program)
    assert directions(program) == expected
    assert found["Scan"] == found["Loop"] == found["MatMul"] == 0
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments)


@pytest.mark.parametrize("call", SCANNED, ids=str)
def test_what_the_operator_lacks_is_a_scan(call: Call) -> None:
    """One for each layer and direction that needs it."""
    model = call.module(torch.float32)
    program = exported(call, model, torch.float32)
    found = operators(program)
    assert (found["Scan"], found["LSTM"]) == (call.layout.num_layers * call.layout.directions, 0)
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments)


@settings(max_examples=8)
@given(
    st.sampled_from(LAYOUTS),
    st.sets(st.sampled_from(("cont", "lengths", "static"))),
    st.booleans(),
    st.booleans(),
    st.integers(1, 12),
    st.integers(1, 6),
)
def test_any_options_in_float64(
    layout: Layout, names: set[str], cells: bool, states: bool, T: int, B: int
) -> None:
    call = Call(layout, tuple(sorted(names)), cells, states)
    model = call.module()
    session = session_of(exported(call, model, torch.float64).model_proto)
    assert_session_equals(session, model, [call.arguments(T, B)])


@pytest.mark.parametrize("call", [PLAIN[0][0], PLAIN[-1][0], SCANNED[-1]], ids=str)
def test_float16(call: Call) -> None:
    model = call.module(torch.float16)
    session = session_of(exported(call, model, torch.float16).model_proto)
    arguments = [call.arguments(T, B, torch.float16) for T, B in SIZES]
    assert_session_equals(session, model, arguments)


@pytest.mark.parametrize("call", [PLAIN[0][0], PLAIN[-1][0], SCANNED[-1]], ids=str)
def test_bfloat16(call: Call) -> None:
    """NumPy has no bfloat16: the model takes and gives float32."""

    class Half(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = call.module(torch.bfloat16)

        def forward(self, *arguments: object) -> list[torch.Tensor]:
            dtype = self.inner.rnn.weight_hh_l0.dtype
            cast = torch.utils._pytree.tree_map_only(
                torch.Tensor, lambda x: x.to(dtype) if x.is_floating_point() else x, arguments
            )
            return [x.to(arguments[0].dtype) for x in self.inner(*cast)]

    model = Half().eval()
    example = call.arguments(*SIZES[0], torch.float32)
    program = to_onnx(model, example, dynamic_shapes=(call.dynamic_shapes(),))
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments, torch.bfloat16)


def test_padding_may_be_anything() -> None:
    call = Call(Layout(bidirectional=True), ("lengths",))
    model = call.module(torch.float32)
    session = session_of(exported(call, model, torch.float32).model_proto)
    x, hx, _ = call.arguments(6, 3, torch.float32)
    lengths = torch.tensor([4, 0, 6])
    expected = run(session, (x, hx, [lengths]))
    for row, length in enumerate(lengths.tolist()):
        x[length:, row] = float("nan")
    for mine, other in zip(run(session, (x, hx, [lengths])), expected, strict=True):
        assert torch.equal(mine, other)
    assert_session_equals(session, model, [(x.nan_to_num(0.0), hx, [lengths])])


def test_large_weights_are_stored_as_the_operator_reads_them() -> None:
    """Nothing is left to be computed of weights alone."""
    layout = Layout(input_size=64, hidden_size=80)
    call = Call(layout, states=False)
    program = exported(call, call.module(torch.float32), torch.float32)
    assert set(operators(program)) == {"LSTM", "Squeeze", "Unsqueeze"}
    stored = program.model_proto.graph.initializer
    sizes = sorted(tuple(each.dims) for each in stored if len(each.dims) > 1)
    assert sizes == [(1, 320, 64), (1, 320, 80), (1, 640)]


@pytest.mark.parametrize("cells, expected", [(False, 0), (True, 1)])
def test_program_that_was_exported_with_gradients(cells: bool, expected: int) -> None:
    call = Call(cells=cells)
    model = call.module(torch.float64).float()
    example = call.arguments(*SIZES[0], torch.float32)
    program = to_onnx(torch.export.export(model, example, dynamic_shapes=call.dynamic_shapes()))
    found = operators(program)
    assert (found["LSTM"], found["Scan"]) == (1, expected)
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments)


@pytest.mark.parametrize("optimize", [False, True])
def test_table_for_torch(optimize: bool) -> None:
    call = Call(Layout(bidirectional=True))
    model = call.module(torch.float32)
    program = torch.onnx.export(
        model,
        call.arguments(*SIZES[0], torch.float32),
        dynamo=True,
        dynamic_shapes=call.dynamic_shapes(),
        custom_translation_table=onnx_translations(),
        optimize=optimize,
        verbose=False,
    )
    assert directions(program) == ["bidirectional"]
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments)


@pytest.mark.parametrize("opset", [18, 22])
def test_opset(opset: int) -> None:
    call = SCANNED[-1]
    model = call.module(torch.float32)
    example = call.arguments(*SIZES[0], torch.float32)
    program = to_onnx(model, example, dynamic_shapes=call.dynamic_shapes(), opset_version=opset)
    assert [each.version for each in program.model_proto.opset_import if not each.domain] == [opset]
    arguments = [call.arguments(T, B, torch.float32) for T, B in SIZES]
    assert_session_equals(session_of(program.model_proto), model, arguments)


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_operators_of_every_backend(backend: str) -> None:
    call = Call()
    model = call.module(torch.float32)
    with lrcn_fast.use_backend(backend):
        program = exported(call, model, torch.float32)
    assert directions(program) == ["forward"]
    session_of(program.model_proto)


def test_training_mode_returns(tmp_path: object) -> None:
    """A model in training is exported as it predicts, and trains on."""
    rnn = lrcn_fast.LSTM(3, 4, num_layers=2, dropout=0.5)
    program = to_onnx(rnn, (torch.randn(5, 2, 3),), f"{tmp_path}/model.onnx")
    assert rnn.training
    assert operators(program)["LSTM"] == 2
    x = torch.randn(5, 2, 3)
    session = session_of(f"{tmp_path}/model.onnx")
    assert_session_equals(session, rnn.eval(), [(x,)])
    assert onnx.load(f"{tmp_path}/model.onnx").graph.node
