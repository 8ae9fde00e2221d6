"""Which backend runs a call, and what a user is told about it."""

import dataclasses
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import lrcn_fast
from lrcn_fast import _loader, backends, functional
from lrcn_fast.backends import LstmSpec, native, registry, triton
from tests.helpers.tolerance import assert_equal_to_oracle

X = torch.linspace(-1, 1, 24).view(4, 2, 3)


class Calls(TorchDispatchMode):
    """Names of the lrcn_fast operators that run inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "lrcn_fast":
            self.names.add(func.name().removeprefix("lrcn_fast::"))
        return func(*args, **(kwargs or {}))


def used(**options: Any) -> str:
    """The backend that an LSTM call runs on."""
    module = lrcn_fast.LSTM(3, 5)
    with torch.no_grad(), Calls() as calls:
        functional.lstm(X, None, list(module.parameters()), **options)
    ran = {name for name in calls.names if name.startswith("lstm")}
    assert len(ran) == 1, ran
    return "reference" if next(iter(ran)).endswith("_reference") else "native"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LRCN_FAST_BACKEND", raising=False)
    monkeypatch.delenv("LRCN_FAST_STRICT", raising=False)
    monkeypatch.setattr(registry, "_warned", set())


@pytest.fixture
def without_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where the extension was not built."""
    monkeypatch.setattr(_loader, "extension", None)
    monkeypatch.setattr(_loader, "reason", "it is not built: pip install . with a compiler")


def test_native_is_the_automatic_choice() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert used() == "native"


@pytest.mark.parametrize("name", ["native", "reference"])
def test_every_way_to_choose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert used(backend=name) == name
    with lrcn_fast.use_backend(name):
        assert used() == name
    monkeypatch.setenv("LRCN_FAST_BACKEND", name)
    assert used() == name


def test_argument_before_context_before_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRCN_FAST_BACKEND", "reference")
    with lrcn_fast.use_backend("native"):
        assert used() == "native"
        assert used(backend="reference") == "reference"
    assert used() == "reference"
    assert used(backend="native") == "native"


def test_context_is_restored_and_nests() -> None:
    with lrcn_fast.use_backend("reference"):
        with lrcn_fast.use_backend("native"):
            assert used() == "native"
        assert used() == "reference"
        with pytest.raises(KeyError), lrcn_fast.use_backend("native"):
            raise KeyError
        assert used() == "reference"
    assert used() == "native"


@pytest.mark.parametrize(
    "first, second, order",
    [
        (["native", "reference"], "reference", [0, 1]),
        (["native", "reference", "native"], "native", [1, 0, 2]),
        (["native", "reference", "native"], "reference", [2, 0, 1]),
        (["reference", "native", "reference"], "native", [2, 1, 0]),
    ],
    ids=str,
)
def test_blocks_of_several_threads_end_in_any_order(
    first: list[str], second: str, order: list[int]
) -> None:
    """``second`` is in force after the first of the blocks has ended."""
    blocks = [lrcn_fast.use_backend(name) for name in first]
    for block in blocks:
        block.__enter__()
    assert used() == first[-1]
    blocks[order[0]].__exit__(None, None, None)
    assert used() == second
    for index in order[1:]:
        blocks[index].__exit__(None, None, None)
    assert registry._override is None
    assert not registry._entered


def test_threads_leave_no_choice_behind() -> None:
    def enter_and_leave(number: int) -> None:
        for step in range(200):
            with lrcn_fast.use_backend("native" if (number + step) % 2 else "reference"):
                time.sleep(0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter_and_leave, range(4)))
    assert registry._override is None
    assert not registry._entered


def test_a_compiled_function_may_choose() -> None:
    module = lrcn_fast.LSTM(3, 5)

    def run(x: torch.Tensor) -> torch.Tensor:
        with lrcn_fast.use_backend("reference"):
            return module(x)[0]

    operators: set[str] = set()

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        operators.update(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    torch.testing.assert_close(torch.compile(run, fullgraph=True, backend=backend)(X), run(X))
    names = {name.split(".")[1] for name in operators if name.startswith("lrcn_fast.lstm")}
    assert names == {"lstm_forward_reference"}
    assert registry._override is None
    assert used() == "native"


def test_auto_in_the_context_asks_for_the_automatic_choice() -> None:
    with lrcn_fast.use_backend("reference"), lrcn_fast.use_backend("auto"):
        assert used() == "native"


def test_modules_and_cells_follow_the_context() -> None:
    for name, suffix in (("native", ""), ("reference", "_reference")):
        with lrcn_fast.use_backend(name), Calls() as calls:
            lrcn_fast.LSTM(3, 5)(X)
            lrcn_fast.LSTMCell(3, 5)(X[0])
        expected = {f"lstm_forward{suffix}", f"lstm_cell_forward{suffix}"}
        assert {n for n in calls.names if n.startswith("lstm")} == expected


@pytest.mark.parametrize("name", ["nativ", "", "cuda", "NATIVE "])
def test_unknown_name(name: str) -> None:
    with pytest.raises(ValueError, match="native.*reference"):
        used(backend=name)
    with pytest.raises(ValueError, match="native.*reference"), lrcn_fast.use_backend(name):
        pass


def test_unknown_name_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRCN_FAST_BACKEND", "nativ")
    with pytest.raises(ValueError, match="LRCN_FAST_BACKEND.*nativ"):
        used()


@pytest.mark.usefixtures("without_extension")
class TestWithoutTheExtension:
    def test_automatic_choice_falls_back_and_says_so_once(self) -> None:
        with pytest.warns(UserWarning, match="reference") as caught:
            assert used() == "reference"
        assert "not built" in str(caught[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert used() == "reference"

    def test_strict_forbids_the_fallback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LRCN_FAST_STRICT", "1")
        with pytest.raises(RuntimeError, match="LRCN_FAST_STRICT") as caught:
            used()
        assert "not built" in str(caught.value) and "pip install" in str(caught.value)

    def test_explicit_choice_must_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each backend's reason and fix are listed, however the choice was made."""
        with pytest.raises(RuntimeError, match="native") as caught:
            used(backend="native")
        for word in ("not built", "pip install", "reference"):
            assert word in str(caught.value)
        with (
            pytest.raises(RuntimeError, match="not built.*pip install"),
            lrcn_fast.use_backend("native"),
        ):
            used()
        monkeypatch.setenv("LRCN_FAST_BACKEND", "native")
        with pytest.raises(RuntimeError, match="not built"):
            used()

    def test_explicit_reference_says_nothing(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert used(backend="reference") == "reference"
            with lrcn_fast.use_backend("reference"):
                assert used() == "reference"

    def test_table(self) -> None:
        rows = {name: (reason, fix) for name, reason, fix in backends.available()}
        assert rows["reference"] == (None, None)
        reason, fix = rows["native"]
        assert reason and "not built" in reason and fix and "pip install" in fix
        assert "not built" in backends.explain() and "pip install" in backends.explain()


def test_available_lists_the_best_first() -> None:
    rows = backends.available()
    assert [name for name, *_ in rows] == ["native", "triton", "reference"]
    assert rows[0] == ("native", None, None) and rows[-1] == ("reference", None, None)


def test_explain_says_what_works_and_why_not() -> None:
    text = backends.explain()
    assert "native" in text and "reference" in text
    spec = LstmSpec("cuda", torch.float32, 256)
    text = backends.explain(spec)
    assert "cuda" in text and "256" in text
    assert "float8" in backends.explain(LstmSpec("cpu", torch.float8_e4m3fn, 8))


def works_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0), installed: bool = True
) -> None:
    """As far as the choice of a backend can tell, without any GPU."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(triton, "_INSTALLED", installed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)


def built_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_cuda_obstacle", lambda: "built without CUDA")


class TestOnAGpu:
    SPEC = LstmSpec("cuda", torch.bfloat16, 256)

    def test_native_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        works_on_a_gpu(monkeypatch)
        monkeypatch.setattr(native, "_cuda_obstacle", lambda: None)
        monkeypatch.setenv("LRCN_FAST_STRICT", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert backends.choose(self.SPEC).name == "native"

    def test_triton_where_the_extension_has_no_kernel(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        works_on_a_gpu(monkeypatch)
        built_without_cuda(monkeypatch)
        with pytest.warns(UserWarning, match="'triton': native: built without CUDA"):
            assert backends.choose(self.SPEC).name == "triton"
        assert "triton     works, chosen automatically" in backends.explain(self.SPEC)

    @pytest.mark.parametrize(
        "dtype, options, reason",
        [
            (torch.bfloat16, {"installed": False}, "triton: the package triton is not installed"),
            (torch.bfloat16, {"capability": (7, 5)}, "triton: the GPU has compute capability 7.5"),
            (torch.float64, {}, "triton: dtype torch.float64 is none of"),
        ],
        ids=str,
    )
    def test_fallback_to_the_reference(
        self,
        dtype: torch.dtype,
        options: dict[str, Any],
        reason: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        works_on_a_gpu(monkeypatch, **options)
        built_without_cuda(monkeypatch)
        spec = LstmSpec("cuda", dtype, 256)
        with pytest.warns(UserWarning, match=f"native: built without CUDA; {reason}"):
            assert backends.choose(spec).name == "reference"
        with pytest.raises(RuntimeError, match=reason.removeprefix("triton: ")):
            backends.choose(spec, "triton")
        monkeypatch.setenv("LRCN_FAST_STRICT", "1")
        with pytest.raises(RuntimeError, match="LRCN_FAST_STRICT"):
            backends.choose(spec)


def test_triton_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if triton.probe() is not None:
        with pytest.raises(RuntimeError, match="triton.*(no GPU|pip install triton)"):
            used(backend="triton")
    works_on_a_gpu(monkeypatch, installed=False)
    assert triton.probe() == ("the package triton is not installed", "pip install triton")
    works_on_a_gpu(monkeypatch)
    assert triton.probe() is None
    assert "TRITON_INTERPRET" in str(triton.supports(LstmSpec("cpu", torch.float32, 8)))
    assert "xpu" in str(triton.supports(LstmSpec("xpu", torch.float32, 8)))


def test_other_devices_are_told_of_the_slow_choice() -> None:
    spec = LstmSpec("mps", torch.float32, 8)
    with pytest.warns(UserWarning, match="'reference': native: .*'mps'.*; triton: "):
        assert backends.choose(spec).name == "reference"


def test_unsupported_call_of_an_explicit_backend() -> None:
    spec = LstmSpec("mps", torch.float32, 256)
    with pytest.raises(RuntimeError, match="mps") as caught:
        backends.choose(spec, "native")
    assert "reference" in str(caught.value)


def test_spec_is_frozen_and_holds_no_tensor() -> None:
    spec = LstmSpec("cpu", torch.float32, 8)
    assert hash(spec) == hash(LstmSpec("cpu", torch.float32, 8))
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.hidden_size = 9  # type: ignore[misc]
    assert not any(isinstance(v, torch.Tensor) for v in dataclasses.astuple(spec))


@pytest.mark.parametrize("proj_size", [0, 2])
def test_backends_agree(proj_size: int) -> None:
    module = lrcn_fast.LSTM(3, 5, 2, bidirectional=True, proj_size=proj_size, dtype=torch.float64)
    options = {"cont": torch.rand(4, 2) > 0.3, "lengths": torch.tensor([4, 2])}
    results = []
    for name in ("native", "reference"):
        module.zero_grad()
        with lrcn_fast.use_backend(name):
            output, (h_n, c_n), cells = module(X.double(), return_cells=True, **options)
            (output.sum() + cells.sum() + h_n.sum()).backward()
        results.append([output, h_n, c_n, cells, *(p.grad for p in module.parameters())])
    for number, (mine, other) in enumerate(zip(*results, strict=True)):
        assert_equal_to_oracle(mine, other, f"result {number}")


def test_backward_runs_on_the_backend_of_the_forward() -> None:
    module = lrcn_fast.LSTM(3, 5)
    with lrcn_fast.use_backend("reference"):
        output = module(X)[0]
    with Calls() as calls:
        output.sum().backward()
    assert "lstm_backward_reference" in calls.names and "lstm_backward" not in calls.names
