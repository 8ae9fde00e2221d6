"""The wheel, in a fresh environment that has only torch in common with this one."""

import json
import os
import re
import shutil
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from build_tools.extension import make_plan
from tests.packaging.run import ROOT, run

SOURCES = ("build_tools", "csrc", "lrcn_fast", "pyproject.toml", "setup.py", "MANIFEST.in")
TEXTS = ("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", ".clang-format")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that nothing else in the checkout gets in."""
    copy = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in (*SOURCES, *TEXTS):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignored)
        else:
            shutil.copy2(source, copy / name)
    # With the objects, and their times kept, ninja finds little or nothing to compile.
    objects = make_plan().objects
    if (ROOT / objects).is_dir():
        shutil.copytree(ROOT / objects, copy / objects)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", "dist"]
    # The very variables that built the objects, or all of them would be compiled anew.
    run([*pip, *options, "."], cwd=copy, env=os.environ)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("fresh")
    run([sys.executable, "-m", "venv", "--without-pip", folder], cwd=folder)
    python = folder / "bin" / "python"
    packages = run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], cwd=folder
    )
    # A folder named in a .pth file is searched last, and its own .pth files, such as that of an
    # editable install, are not read.
    shared = "\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    Path(packages.strip(), "shared.pth").write_text(shared + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run([*pip, "install", "--no-deps", "--no-index", wheel], cwd=folder)
    return python


def test_one_wheel_serves_every_python(wheel: Path) -> None:
    assert re.fullmatch(r"lrcn_fast-[\d.]+-cp310-abi3-linux_\w+\.whl", wheel.name)


def test_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = {name for name in names if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lrcn_fast").rglob("*.py")}
    data = {"lrcn_fast/_C.abi3.so", "lrcn_fast/py.typed"}
    assert {name for name in package if name.endswith((".py", ".so", ".typed"))} == modules | data
    litter = (".o", ".d", ".cpp", ".cu", ".h", ".ninja", ".pyc")
    assert [name for name in package if name.endswith(litter)] == []
    assert any(name.endswith("LICENSE") for name in names)


def test_wheel_carries_cuda_where_nvcc_is(wheel: Path, fresh: Path, tmp_path: Path) -> None:
    extension = zipfile.ZipFile(wheel).read("lrcn_fast/_C.abi3.so")
    toolkit = make_plan().toolkit
    assert (b".nv_fatbin" in extension) == (toolkit is not None)
    code = """
import torch, lrcn_fast
from lrcn_fast import _loader
kernel = torch._C._dispatch_has_kernel_for_dispatch_key
print(_loader.load().build_info()["cuda_archs"], kernel("lrcn_fast::lstm_cell_forward", "CUDA"))
"""
    archs = ";".join(toolkit.archs) if toolkit else ""
    shown = run([fresh, "-c", code], cwd=tmp_path)
    assert shown.strip() == f"{archs} {toolkit is not None}".strip()


def test_installed_package_works_outside_of_the_checkout(fresh: Path, tmp_path: Path) -> None:
    code = """
import torch, lrcn_fast
module = lrcn_fast.LSTM(3, 4, num_layers=2)
with lrcn_fast.use_backend("native"):
    output, (h_n, c_n) = module(torch.ones(5, 2, 3))
output.sum().backward()
print(lrcn_fast.__file__, tuple(output.shape), module.weight_ih_l0.grad.shape == (16, 3))
"""
    shown = run([fresh, "-c", code], cwd=tmp_path)
    assert str(fresh.parent.parent) in shown
    assert "(5, 2, 4) True" in shown


def test_installed_doctor_reports(fresh: Path, tmp_path: Path) -> None:
    found = json.loads(run([fresh, "-m", "lrcn_fast", "doctor", "--json"], cwd=tmp_path))
    assert found["extension"]["built"] is True
    assert str(fresh.parent.parent) in found["extension"]["path"]
