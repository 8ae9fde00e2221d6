"""How the extension is found, and what is said when it is not."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from lrcn_fast import _loader
from lrcn_fast.backends import native


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A loader that has not looked for the extension yet."""
    for name, value in (("extension", None), ("reason", None), ("_tried", False)):
        monkeypatch.setattr(_loader, name, value)
    return monkeypatch


def replace_import(patch: pytest.MonkeyPatch, result: object) -> None:
    def import_module(name: str) -> object:
        assert name == "lrcn_fast._C"
        if isinstance(result, Exception):
            raise result
        return result

    patch.setattr(_loader, "importlib", SimpleNamespace(import_module=import_module))


def test_missing_extension_has_reason_and_fix(untried: pytest.MonkeyPatch) -> None:
    replace_import(untried, ModuleNotFoundError("no", name="lrcn_fast._C"))
    assert _loader.load() is None
    assert native.probe() is not None
    reason, fix = native.probe() or ("", "")
    assert reason == "the extension lrcn_fast._C is not built"
    assert "pip install" in fix
    assert "C++ compiler" in fix


def test_extension_that_does_not_load_keeps_the_error(untried: pytest.MonkeyPatch) -> None:
    replace_import(untried, ImportError("_C.abi3.so: undefined symbol: torch_gone"))
    assert _loader.load() is None
    reason, fix = native.probe() or ("", "")
    assert reason == "the extension lrcn_fast._C does not load"
    assert "pip install" in fix
    assert "undefined symbol: torch_gone" in fix


def test_an_import_that_fails_inside_is_no_missing_extension(untried: pytest.MonkeyPatch) -> None:
    replace_import(untried, ModuleNotFoundError("no", name="numpy"))
    with pytest.raises(ModuleNotFoundError) as raised:
        _loader.load()
    assert raised.value.name == "numpy"


def test_the_environment_chooses_instruction_set_and_kernels(untried: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []
    module = SimpleNamespace(
        cpu_isas=lambda: ("avx2", "baseline"),
        set_cpu_isa=chosen.append,
        set_persistent=chosen.append,
    )
    replace_import(untried, module)
    untried.setenv("LRCN_FAST_CPU_ISA", "baseline")
    untried.delenv("LRCN_FAST_PERSISTENT", raising=False)
    assert _loader.load() is module
    assert _loader.load() is module
    assert chosen == ["baseline", "auto"]


def test_instruction_set_that_is_not_there_is_an_error(untried: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(cpu_isas=lambda: ("avx2", "baseline"))
    replace_import(untried, module)
    untried.setenv("LRCN_FAST_CPU_ISA", "avx512")
    with pytest.raises(ValueError, match="LRCN_FAST_CPU_ISA='avx512'.*have avx2, baseline"):
        _loader.load()
    assert _loader.extension is None
