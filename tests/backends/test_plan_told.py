"""How the planner is asked, what it refuses, and what ``explain`` tells of its plans."""

from contextlib import nullcontext
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lrcn_fast import _loader, backends
from lrcn_fast.backends import GPUS, Gpu, LstmSpec, OpSpec, plan, use_persistent


def problem() -> dict[str, Any]:
    return {
        **{"backward": False, "dtype": "bfloat16", "products": "float32", "steps": 8},
        **{"batch": 8, "hidden": 64, "projects": False, "scans": 1},
        "persistent": "auto",
    }


def properties() -> dict[str, Any]:
    return asdict(GPUS["H100"]) | {"capability": 90}


def extension() -> Any:
    module = _loader.load()
    assert module is not None, _loader.reason
    return module


@pytest.mark.parametrize("key", properties())
@pytest.mark.parametrize("wrong", [None, -1, 2**31, 10**30, True, 1.5, "9"], ids=str)
def test_wrong_property(key: str, wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"plan_lstm: gpu\['{key}'\] must be"):
        extension().plan_lstm(properties() | {key: wrong}, problem())


@pytest.mark.parametrize("key", problem())
def test_wrong_value_of_a_problem(key: str) -> None:
    with pytest.raises((ValueError, TypeError), match=rf"problem\['{key}'\] must be .*got 'x'"):
        extension().plan_lstm(properties(), problem() | {key: "x"})


@pytest.mark.parametrize("argument, key", [("gpu", "clock_mhz"), ("problem", "projects")])
def test_missing_and_unknown_keys(argument: str, key: str) -> None:
    dicts = {"gpu": properties(), "problem": problem()}
    dicts[argument]["blocks"] = 3
    with pytest.raises(KeyError, match=f"'{argument}' has an unknown key 'blocks'"):
        extension().plan_lstm(*dicts.values())
    del dicts[argument][key]
    with pytest.raises(KeyError, match=f"'{argument}' lacks the key '{key}'"):
        extension().plan_lstm(*dicts.values())


def test_arguments_are_dicts() -> None:
    with pytest.raises(TypeError, match="argument 'gpu' must be a dict"):
        extension().plan_lstm([], problem())
    with pytest.raises(TypeError, match="argument 'problem' must be a dict"):
        extension().plan_lstm(properties(), None)
    with pytest.raises(TypeError):
        extension().plan_lstm(properties())


def test_errors_of_plan() -> None:
    with pytest.raises(ValueError, match="gpu: expected one of 'A100'.*got 'H101'"):
        plan("H101", torch.bfloat16, 256, batch=1, steps=8)
    with pytest.raises(ValueError, match="precision: expected one of highest"):
        plan("H100", torch.float32, 256, batch=1, steps=8, precision="low")
    with pytest.raises(ValueError, match=r"problem\['scans'\] must be an int within 1..4, got 5"):
        plan("H100", torch.bfloat16, 256, batch=1, steps=8, scans=5)
    with pytest.raises(ValueError, match=r"problem\['dtype'\].*float8_e4m3fn"):
        plan("H100", torch.float8_e4m3fn, 256, batch=1, steps=8)


def test_without_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loader, "extension", None)
    monkeypatch.setattr(_loader, "reason", "it is not built: pip install .")
    monkeypatch.setattr(_loader, "_tried", True)
    with pytest.raises(RuntimeError, match="pip install"):
        plan("H100", torch.bfloat16, 256, batch=1, steps=8)


def test_precision_is_torchs_own() -> None:
    options: dict[str, Any] = {"batch": 24, "steps": 128}
    try:
        for precision, expected in (
            ("medium", "cluster"),
            ("high", "cluster"),
            ("highest", "step"),
        ):
            torch.set_float32_matmul_precision(precision)
            assert plan("H100", torch.float32, 256, **options).kernel == expected
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        assert plan("H100", torch.float32, 256, **options).kernel == "cluster"
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")


def test_present_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="torch sees 0 GPUs"):
        Gpu.present()
    found = SimpleNamespace(
        **{"major": 9, "minor": 0, "multi_processor_count": 132, "clock_rate": 1_755_000},
        shared_memory_per_block_optin=227 * 1024,
        shared_memory_per_multiprocessor=228 * 1024,
        regs_per_multiprocessor=65536,
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: found)
    monkeypatch.setattr(torch.cuda, "device", lambda index: nullcontext())
    # What an extension without CUDA kernels leaves to the number of multiprocessors.
    monkeypatch.setattr(extension(), "present_gpu", lambda: None)
    assert Gpu.present() == Gpu.present(0) == replace(GPUS["H100"], clusters_of_4=33)
    monkeypatch.setattr(extension(), "present_gpu", properties)
    assert Gpu.present() == Gpu.present(0) == GPUS["H100"]
    with pytest.raises(RuntimeError, match="not number 1"):
        Gpu.present(1)
    assert "native on H100 or H200, " in backends.explain(
        LstmSpec("cuda", torch.bfloat16, 256), batch=8
    )


def test_explain_shows_the_plans() -> None:
    spec = LstmSpec("cuda", torch.bfloat16, 256)
    table = backends.explain(spec)
    text = backends.explain(spec, batch=24, steps=64, gpu="H100")
    assert text.startswith(table)
    added = text.removeprefix(table)
    assert "native on H100, batch=24, steps=64:" in added
    for direction, backward in (("forward", False), ("backward", True)):
        found = plan("H100", torch.bfloat16, 256, batch=24, steps=64, backward=backward)
        shown = added.split(f"  {direction} ")[1]
        for word in (
            f"{found.blocks} blocks in clusters of {found.cluster}",
            f"{found.units} units each",
            f"{found.slices} x {found.rows} rows",
            f"{found.step_us:.2f} us a step, floor {found.floor_us:.2f} us",
            f"{found.register_bytes} bytes of weights",
            f"{found.shared_bytes} bytes of shared memory",
            found.reason,
        ):
            assert word in shown
    assert "step: modelled" in backends.explain(spec, steps=1, gpu=GPUS["L4"])
    unknown = Gpu((9, 0), 7, 232448, 233472, 65536, 3, 1, 0, 0, 1755)
    assert "a GPU with 7 multiprocessors of capability 9.0" in backends.explain(spec, gpu=unknown)


def test_explain_needs_an_lstm_to_plan_for() -> None:
    for spec in (None, OpSpec("cuda", torch.bfloat16, "frames_to_input")):
        with pytest.raises(ValueError, match=r"need the spec of an LSTM, got (None|frames_to_in)"):
            backends.explain(spec, gpu="H100")


def test_kernels_that_stay_on_chip_can_be_switched_off_and_insisted_on() -> None:
    def kernel(steps: int, dtype: torch.dtype = torch.bfloat16) -> str:
        return plan("H100", dtype, 256, batch=24, steps=steps).kernel

    assert extension().persistent() == "auto"
    assert (kernel(steps=2), kernel(steps=128)) == ("step", "cluster")
    with use_persistent("1"):
        assert (kernel(steps=2), kernel(2, torch.float64)) == ("cluster", "step")
        with use_persistent("0"):
            assert kernel(steps=128) == "step"
            reason = plan("H100", torch.bfloat16, 256, batch=24, steps=128).reason
            assert "LRCN_FAST_PERSISTENT=0" in reason
        assert extension().persistent() == "1"
    assert extension().persistent() == "auto"
    wrong = pytest.raises(ValueError, match="must be 'auto', '0' or '1', got 'yes'")
    with wrong, use_persistent("yes"):
        pass


@pytest.mark.parametrize("value, expected", [("", "auto"), ("0", "0"), (" 1 ", "1")])
def test_the_environment_switches_them(
    value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with use_persistent("auto"):
        monkeypatch.setenv("LRCN_FAST_PERSISTENT", value)
        monkeypatch.setattr(_loader, "_tried", False)
        assert extension().persistent() == expected
    monkeypatch.setenv("LRCN_FAST_PERSISTENT", "2")
    monkeypatch.setattr(_loader, "_tried", False)
    with pytest.raises(ValueError, match=r"LRCN_FAST_PERSISTENT='2': expected one of auto, 0, 1"):
        _loader.load()
