import pytest
import torch
from torch import nn

from benchmarks import gate
from benchmarks.run import run_case
from benchmarks.shapes import Case
from benchmarks.timing import QUICK
from tests.benchmarks import fakes


@pytest.mark.parametrize("case", fakes.TINY_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_torch_passes_against_itself(case: Case, dtype: torch.dtype) -> None:
    errors = gate.check(case, fakes.EQUAL, dtype)
    expected = {"h_n", "c_n"} if case.shape.cell else {"output", "h_n", "c_n"}
    if case.mode == "training":
        weights = nn.LSTM(5, 4, num_layers=2, bidirectional=True).state_dict()
        expected |= {f"grad of {name}" for name in ("input", *weights)}
    assert errors.keys() == expected
    for error in errors.values():
        assert error["lrcn_fast"] == error["torch"] < torch.finfo(dtype).eps ** 0.5


@pytest.mark.parametrize(
    ("lstm", "mode", "message"),
    [
        (fakes.ScaledOutput, "inference", "tiny-inference: lrcn_fast: output: error"),
        (fakes.NaNState, "inference", "lrcn_fast: c_n: error inf"),
        (fakes.WrongGradient, "training", "lrcn_fast: grad of input: error"),
        (fakes.Failing, "training", "lrcn_fast raised RuntimeError: no kernel for this shape"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_wrong_implementation_is_not_timed(lstm: type[nn.LSTM], mode: str, message: str) -> None:
    case = next(case for case in fakes.TINY_CASES if case.name == f"tiny-{mode}")
    with pytest.raises(gate.GateError, match=message):
        gate.check(case, fakes.peer(lstm), torch.float32)
    row = run_case(case, fakes.peer(lstm), torch.float32, QUICK, 1.0)
    assert message.partition(": error")[0] in row["refused"]
    assert not row.keys() & {"median", "ratio", "seconds"}


def test_a_wrong_gradient_is_no_matter_to_inference() -> None:
    gate.check(Case(fakes.TINY, "inference"), fakes.peer(fakes.WrongGradient), torch.float32)


def test_the_state_is_carried_from_step_to_step() -> None:
    class Forgetful(nn.LSTM):
        def forward(self, x: torch.Tensor, state: object = None) -> object:
            return super().forward(x)

    with pytest.raises(gate.GateError, match="output: error"):
        gate.check(Case(fakes.TINY_STEP, "step"), fakes.peer(Forgetful), torch.float32)
