"""Environment variables: their values, their table, and where they are read."""

import pytest

from build_tools import settings
from lrcn_fast import env
from tests.packaging.run import ROOT

PACKAGE = [variable for variable in env.VARIABLES if not variable.build]


@pytest.mark.parametrize("variable", PACKAGE, ids=lambda variable: variable.name)
def test_unknown_value_is_named(variable: env.Variable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable.name, "Sideways")
    with pytest.raises(ValueError, match=rf"{variable.name}='Sideways'.*{variable.values[-1]}"):
        variable.read()


@pytest.mark.parametrize("variable", PACKAGE, ids=lambda variable: variable.name)
def test_known_values_are_taken(variable: env.Variable, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in variable.values:
        monkeypatch.setenv(variable.name, f" {value.upper()} ")
        assert variable.read() == value
    monkeypatch.setenv(variable.name, "")
    assert variable.read() == variable.default
    monkeypatch.delenv(variable.name)
    assert variable.read() == variable.default


def test_auto_means_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRCN_FAST_BACKEND", "auto")
    monkeypatch.setenv("LRCN_FAST_CPU_ISA", "baseline")
    monkeypatch.setenv("LRCN_FAST_STRICT", "1")
    assert env.backend() is None
    assert env.cpu_isa() == "baseline"
    assert env.strict() is True


def test_the_build_reads_what_the_table_says() -> None:
    built = {variable.name: variable for variable in env.VARIABLES if variable.build}
    source = (ROOT / "build_tools" / "settings.py").read_text()
    assert all(f'"{name}"' in source for name in built)
    for value in built["LRCN_FAST_CUDA"].values:
        assert settings.read({"LRCN_FAST_CUDA": value}).cuda == value
    default = settings.read({})
    assert default.cuda == built["LRCN_FAST_CUDA"].default
    assert ";".join(default.cuda_archs) == built["LRCN_FAST_CUDA_ARCHS"].default
    assert default.werror == (built["LRCN_FAST_WERROR"].default == "1")
    assert default.sanitize == (built["LRCN_FAST_SANITIZE"].default == "1")


def test_the_readme_lists_every_variable() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [variable.name for variable in env.VARIABLES if f"`{variable.name}`" not in readme] == []
