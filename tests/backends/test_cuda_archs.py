"""Which GPUs a build has code for."""

import pytest
import torch

from lrcn_fast import _loader
from lrcn_fast.backends import LstmSpec, cuda_archs, native

DEFAULT = ("sm_80", "sm_86", "sm_89", "sm_90a", "sm_100")


@pytest.mark.parametrize(
    "archs, capability, runs",
    [
        (DEFAULT, (7, 5), False),
        (DEFAULT, (8, 0), True),
        (DEFAULT, (8, 7), True),
        (DEFAULT, (9, 0), True),
        (DEFAULT, (10, 3), True),
        (DEFAULT, (12, 0), True),
        (("sm_90a",), (9, 0), True),
        (("sm_90a",), (8, 0), False),
        (("sm_90a",), (10, 0), False),
        (("sm_80", "sm_90a"), (10, 0), True),
        (("sm_89",), (8, 0), False),
        (("sm_120",), (9, 0), False),
        (("sm_100f",), (10, 3), True),
        (("sm_100f",), (12, 0), False),
        ((), (8, 0), False),
    ],
)
def test_runs_on(archs: tuple[str, ...], capability: tuple[int, int], runs: bool) -> None:
    assert cuda_archs.runs_on(archs, capability) == runs


def test_reasons_name_the_build_and_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_archs, "present_gpus", lambda: ((9, 0), (8, 0)))
    assert cuda_archs.missing_for(DEFAULT) is None
    assert "without CUDA" in str(cuda_archs.missing_for([]))
    assert cuda_archs.missing_for(["sm_90a"]) is None, "one of the two can run it"
    monkeypatch.setattr(cuda_archs, "present_gpus", lambda: ((8, 0),))
    reason = str(cuda_archs.missing_for(["sm_90a"]))
    assert "sm_90a" in reason and "8.0" in reason and "LRCN_FAST_CUDA_ARCHS" in reason
    monkeypatch.setattr(cuda_archs, "present_gpus", lambda: ((7, 5),))
    assert "7.5" in str(cuda_archs.missing_for(DEFAULT))


def test_a_build_with_nvcc_supports_cuda() -> None:
    extension = _loader.load()
    assert extension is not None
    built = extension.build_info()["cuda_archs"]
    reason = native.supports(LstmSpec("cuda", torch.bfloat16, 1000))
    assert (reason is None) == bool(built), reason
    assert native.supports(LstmSpec("mps", torch.float32, 8)) is not None
