"""The backend behind the modules, as a user meets it."""

import warnings

import pytest
import torch
from torch import Tensor

import lrcn_fast
from lrcn_fast import backends
from lrcn_fast.backends import LstmSpec
from tests.backends.test_registry import Calls
from tests.helpers.tolerance import assert_no_worse_than_torch


def results(module: lrcn_fast.LSTM, x: Tensor, backend: str) -> list[Tensor]:
    """Outputs, states and the gradient of every parameter."""
    module.zero_grad()
    cont = torch.ones(x.shape[:2], dtype=torch.bool)
    cont[2, 0] = False
    with lrcn_fast.use_backend(backend):
        output, states, cells = module(
            x, cont=cont, lengths=torch.tensor([4, 2, 0]), return_cells=True
        )
        (output.sum() + cells.square().sum() + states[0].sum()).backward()
    grads = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    return [output, *states, cells, *grads]


@pytest.mark.parametrize("proj_size", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_module(proj_size: int, dtype: torch.dtype) -> None:
    module = lrcn_fast.LSTM(3, 5, 2, bidirectional=True, proj_size=proj_size, dtype=dtype)
    x = torch.randn(4, 3, 3).to(dtype)
    with Calls() as calls:
        actual = results(module, x, "triton")
    assert {n for n in calls.names if n.startswith("lstm")} == {
        "lstm_forward_triton",
        "lstm_backward_triton",
    }
    loop = results(module, x, "reference")
    exact = results(module.double(), x.double(), "reference")
    for number, three in enumerate(zip(actual, loop, exact, strict=True)):
        assert_no_worse_than_torch(*three, f"result {number}")


def test_cell_and_single_step() -> None:
    x = torch.randn(2, 3)
    with lrcn_fast.use_backend("triton"), Calls() as calls:
        h, _ = lrcn_fast.LSTMCell(3, 5)(x)
        h.sum().backward()
        lrcn_fast.LSTM(3, 5)(x[None])
    assert {n for n in calls.names if n.startswith("lstm")} == {
        "lstm_cell_forward_triton",
        "lstm_cell_backward_triton",
    }


def test_never_chosen_on_the_cpu_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = LstmSpec("cpu", torch.float32, 8)
    assert backends.choose(spec).name != "triton"
    assert backends.choose(spec, "triton").name == "triton"
    lines = {line.split()[0]: line for line in backends.explain(spec).splitlines()}
    assert lines["triton"].endswith(" works")
    from lrcn_fast import _loader

    monkeypatch.setattr(_loader, "extension", None)
    monkeypatch.setattr(_loader, "reason", "it is not built: pip install .")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert backends.choose(spec).name == "reference"
    assert "native" in str(caught[0].message) and "triton" not in str(caught[0].message)


def test_float64_is_refused() -> None:
    with pytest.raises(RuntimeError, match="triton.*float64 is none of"):
        lrcn_fast.functional.lstm_cell(
            *(torch.zeros(1, 1).double(), None, *[torch.zeros(4, 1).double()] * 2), backend="triton"
        )


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_without_a_graph_break(dynamic: bool) -> None:
    module = lrcn_fast.LSTM(3, 5)

    def run(x: Tensor) -> Tensor:
        with lrcn_fast.use_backend("triton"):
            return module(x)[0]

    x = torch.randn(4, 2, 3)
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    torch.testing.assert_close(compiled(x), run(x), rtol=0, atol=0)


def test_autocast() -> None:
    module, x = lrcn_fast.LSTM(3, 5), torch.randn(4, 2, 3)
    with lrcn_fast.use_backend("triton"), torch.autocast("cpu", torch.bfloat16):
        assert module(x)[0].dtype == torch.bfloat16
