"""The layers of docs/architecture.md: an arrow only points down."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.packaging.run import ROOT

PACKAGE = ROOT / "lrcn_fast"
# From the top down. Rooms of one line may use each other, except the implementations of ops.
LAYERS = (
    ("__init__", "__main__", "cli", "doctor"),
    ("training", "data", "metrics"),
    ("caffe", "export"),
    ("models", "decoding"),
    ("nn",),
    ("functional", "_direction"),
    ("backends",),
    ("ops",),
    ("triton_kernels", "reference"),
    ("_loader", "_arguments", "_constant", "_files"),
    ("env",),
    ("_version",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
IMPLEMENTATIONS = ("triton_kernels", "reference")
CODE = (".py", ".h", ".cpp", ".cu", ".cuh", ".md", ".toml")


def imported(source: str, package: tuple[str, ...]) -> set[str]:
    """The absolute names that a module of ``package`` imports, ``from a import b`` as "a.b"."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parent, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def violations(room: str, names: set[str]) -> list[str]:
    """The names of ``names`` that ``room`` must not import."""
    found = []
    for name in sorted(names):
        parts = name.split(".")
        if parts[0] != "lrcn_fast":
            outside = parts[0] not in ("torch", *sys.stdlib_module_names)
            found += [name] if room == "reference" and outside else []
            continue
        other = parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"
        # The version is the one thing that everybody may take from the top.
        if name == "lrcn_fast.__version__" or other == room:
            continue
        peers = LEVEL[other] == LEVEL[room] and room not in IMPLEMENTATIONS
        if not peers and (LEVEL[other] <= LEVEL[room] or room == "reference"):
            found.append(name)
    return found


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_room_has_a_layer() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()}
    assert rooms <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    names = imported(path.read_text(), ("lrcn_fast", *parts[:-1]))
    assert violations(parts[0].removesuffix(".py"), names) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("ops", "import lrcn_fast.backends"),
        ("ops", "from lrcn_fast import functional"),
        ("nn", "from ..models import ActivityRecognizer"),
        ("models", "from lrcn_fast.caffe import load_weights"),
        ("functional", "import lrcn_fast"),
        ("reference", "import numpy"),
        ("reference", "from lrcn_fast import env"),
        ("triton_kernels", "from lrcn_fast.reference import lstm"),
        ("triton_kernels", "from lrcn_fast.ops import _library"),
        ("backends", "from lrcn_fast.functional import lstm"),
    ],
)
def test_an_arrow_that_points_up_is_found(room: str, source: str) -> None:
    assert violations(room, imported(source, ("lrcn_fast", room)))


def includes(folder: str) -> list[tuple[str, str]]:
    files = (path for path in (ROOT / folder).rglob("*") if path.suffix in CODE)
    pattern = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
    return [
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in pattern.findall(path.read_text())
    ]


@pytest.mark.parametrize("folder", ["include", "cpu", "plan", "cuda"])
def test_kernels_know_no_torch(folder: str) -> None:
    found = includes(f"csrc/{folder}")
    assert found
    assert [
        pair for pair in found if re.match(r"(torch|ATen|c10|caffe2)/|.*bindings", pair[1])
    ] == []


def test_the_plan_knows_no_cuda() -> None:
    found = [pair for pair in includes("csrc/plan") if re.search(r"cuda|\.cuh", pair[1])]
    assert found == []


def test_kernels_know_cuda_through_the_primitives_alone() -> None:
    allowed = ("csrc/cuda/gpu.cu", "csrc/cuda/primitives/", "csrc/cuda/launch_error.")
    others = [pair for pair in includes("csrc/cuda") if not pair[0].startswith(allowed)]
    assert others
    assert [pair for pair in others if re.match(r"cuda|cooperative_groups|mma\.h", pair[1])] == []


def test_the_emulator_knows_neither_torch_nor_cuda() -> None:
    found = includes("tests/emulator")
    assert found
    assert [pair for pair in found if re.match(r"(torch|ATen|c10)/|cuda", pair[1])] == []


def test_bindings_use_the_stable_abi_only() -> None:
    torch = [pair for pair in includes("csrc/bindings") if re.match(r"torch|ATen|c10", pair[1])]
    assert torch
    stable = r"torch/(csrc/stable/|headeronly/|csrc/inductor/aoti_torch/c/)"
    assert [pair for pair in torch if not re.match(stable, pair[1])] == []


def test_no_file_is_above_20_kb() -> None:
    folders = ("lrcn_fast", "csrc", "build_tools", "tests", "benchmarks", "examples", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.name != "LICENSE"]
    sizes = {
        str(path.relative_to(ROOT)): path.stat().st_size
        for path in files
        if path.is_file() and path.suffix in CODE
    }
    assert {name: size for name, size in sizes.items() if size > 20_000} == {}
