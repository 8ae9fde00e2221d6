"""``python -m lrcn_fast doctor``."""

import json

import pytest
import torch

import lrcn_fast
from lrcn_fast import _loader, doctor
from lrcn_fast.__main__ import main


def test_json_describes_machine_build_and_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["lrcn_fast"] == lrcn_fast.__version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["extension"]["built"] is True
    assert found["cpu"]["isa"] in found["cpu"]["isas"]
    assert found["cpu"]["threads"] == torch.get_num_threads()
    assert len(found["gpus"]) == torch.cuda.device_count()
    backends = {backend["name"]: backend for backend in found["backends"]}
    assert list(backends) == ["native", "triton", "reference"]
    assert backends["native"]["available"]
    assert backends["reference"]["available"]
    assert {"video", "captions", "train", "triton", "caffe", "export", "bench", "dev"} == {
        extra["name"] for extra in found["extras"]
    }


def test_what_does_not_work_has_reason_and_fix() -> None:
    found = doctor.report()
    for backend in found["backends"]:
        assert backend["available"] or (backend["reason"] and backend["fix"])
    for extra in found["extras"]:
        missing = [name for name, version in extra["packages"].items() if version is None]
        assert extra["installed"] == (not missing)
        assert extra["fix"] == (f"pip install {' '.join(missing)}" if missing else None)


def test_text_shows_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    found = doctor.report()
    for heading in ("versions", "extension", "cpu", "gpus", "backends", "extras", "environment"):
        assert f"\n{heading}\n" in f"\n{shown}"
    for backend in found["backends"]:
        assert backend["name"] in shown
        assert backend["available"] or backend["fix"] in shown
    assert found["cpu"]["isa"] in shown


def test_missing_extension_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loader, "load", lambda: None)
    monkeypatch.setattr(_loader, "reason", "not built: pip install .")
    shown = doctor.text(doctor.report())
    assert "not built: pip install ." in shown


def test_environment_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRCN_FAST_STRICT", "1")
    assert doctor.report()["environment"]["LRCN_FAST_STRICT"] == "1"


@pytest.mark.parametrize("arguments", [[], ["surgeon"]])
def test_unknown_command_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
