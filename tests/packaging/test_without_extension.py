"""A copy of the package without the extension and without any optional package."""

import shutil
from pathlib import Path

import pytest

from tests.packaging.run import ROOT, run_python

# None in sys.modules makes an import fail as if the package were not installed. An editable install
# of the checkout would lend the copy its extension.
BARE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "Editable" not in getattr(f, "__name__", "")]
for name in ("triton", "av", "skvideo", "tqdm", "matplotlib", "tensorboard", "safetensors"):
    sys.modules[name] = None
import torch, lrcn_fast
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "lrcn_fast", folder / "lrcn_fast", ignore=ignored)
    return folder


def test_import_and_reference_backend_work(bare: Path) -> None:
    code = f"""{BARE}
assert lrcn_fast.__file__.startswith({str(bare)!r}), lrcn_fast.__file__
for name in lrcn_fast.__all__:
    getattr(lrcn_fast, name)
module = lrcn_fast.LSTM(3, 4, bidirectional=True)
output, (h_n, c_n) = module(torch.ones(5, 2, 3))
output.sum().backward()
print(tuple(output.shape), tuple(c_n.shape), module.weight_hh_l0.grad.abs().sum().item() > 0)
"""
    assert "(5, 2, 8) (2, 2, 4) True" in run_python(code, cwd=bare)


def test_native_asked_for_says_how_to_get_it(bare: Path) -> None:
    code = f"""{BARE}
with lrcn_fast.use_backend("native"):
    lrcn_fast.LSTM(3, 4)(torch.ones(5, 2, 3))
"""
    shown = run_python(code, cwd=bare, fails=True).splitlines()[-1]
    assert "native" in shown
    assert "pip install" in run_python(code, cwd=bare, fails=True)


def test_native_asked_for_by_variable_says_how_to_get_it(bare: Path) -> None:
    code = f"{BARE}lrcn_fast.LSTM(3, 4)(torch.ones(5, 2, 3))"
    assert "pip install" in run_python(code, cwd=bare, fails=True, LRCN_FAST_BACKEND="native")


def test_doctor_says_how_to_get_the_extension(bare: Path) -> None:
    code = f"{BARE}from lrcn_fast.__main__ import main; main(['doctor'])"
    shown = run_python(code, cwd=bare)
    assert "lrcn_fast._C is not built" in shown
    assert "pip install --no-build-isolation ." in shown
