import pytest

from benchmarks.gpu import smallest


def test_the_smallest_calls_run_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert smallest.main(["--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 * 2 * 4
    assert not any("refused" in line or "failed" in line for line in lines)
    assert any("bfloat16" in line and "cont" in line for line in lines)


def test_a_refused_call_is_no_failure_but_a_fault_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smallest.main(["--device", "cpu", "--backend", "nonsense"]) == 0
    assert capsys.readouterr().out.count('"refused"') == 32

    def fault(**_: object) -> None:
        raise RuntimeError("an illegal memory access\nand more")

    monkeypatch.setattr(smallest, "call", fault)
    assert smallest.main(["--device", "cpu"]) == 1
    assert '"failed": "an illegal memory access"' in capsys.readouterr().out
