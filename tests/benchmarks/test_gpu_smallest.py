import pytest
import torch

from benchmarks.gpu import smallest

# Every extra at both sizes and the large plain one; under TF32 two extras. On chip four extras, in
# two types and both kinds of TF32.
NUMBER = 4 * (2 * 7 + 1) + 2 * (2 * 2 + 1) + 4 * 2 * 4


def test_the_smallest_calls_run_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert smallest.main(["--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == NUMBER
    assert not any("refused" in line or "failed" in line for line in lines)
    for words in (
        ("bfloat16", "cont"),
        ("float64", "projection"),
        ("float16", "static"),
        ("float32", "cells"),
        ("float32 medium", "520"),
        ("float32 high", "projection"),
        ("float32 high", "lengths on chip"),
        ("bfloat16", "bidirectional on chip"),
    ):
        assert any(all(word in line for word in words) for line in lines), words
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_refused_call_is_no_failure_but_a_fault_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smallest.main(["--device", "cpu", "--backend", "nonsense"]) == 0
    assert capsys.readouterr().out.count('"refused"') == NUMBER

    def fault(*_: object) -> None:
        raise RuntimeError("an illegal memory access\nand more")

    monkeypatch.setattr(smallest, "call", fault)
    assert smallest.main(["--device", "cpu"]) == 1
    assert '"failed": "an illegal memory access"' in capsys.readouterr().out
