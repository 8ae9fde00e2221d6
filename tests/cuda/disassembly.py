"""The instructions of compiled kernels."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from build_tools import flags, resources
from build_tools.cuda import Toolkit
from build_tools.plan import Plan

_SASS_ARCH = re.compile(r"^\s*code for (sm_\w+)$")
_SASS_FUNCTION = re.compile(r"^\s*Function : (\S+)$")
_SASS_CODE = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z][A-Z0-9_.]*)")
_PTX_ARCH = re.compile(r"^\.target (sm_\w+)")
_PTX_FUNCTION = re.compile(r"\.(?:entry|func)\s+(?:\(.*\)\s*)?([A-Za-z_$][\w$]*)")
_PTX_CODE = re.compile(r"^\s*(?:@!?%\w+\s+)?([a-z][a-z0-9_]*(?:[.:]+[a-z0-9_]+)*)[\s;]")


@dataclass(frozen=True)
class Listing:
    """The instructions of a kernel on one architecture.

    Attributes:
        name: source and kernel, as in build_tools.resources.Usage.
        arch: such as "sm_90a".
        codes: each instruction once, such as "LDG.E" or "ld.global.f32", without operands.
    """

    name: str
    arch: str
    codes: frozenset[str]

    def matching(self, pattern: str) -> list[str]:
        """The instructions that begin as ``pattern`` says, in order."""
        return sorted(code for code in self.codes if re.match(pattern, code))


def parse(text: str, source: str) -> list[Listing]:
    """Read what ``cuobjdump -sass`` or ``nvcc -ptx`` wrote.

    Args:
        text: SASS of any number of architectures, or PTX of one.
        source: the stem of the .cu file.
    """
    found: dict[tuple[str, str], set[str]] = {}
    arch, codes = "", set[str]()
    ptx = ".version" in text
    arch_line, code_line = (_PTX_ARCH, _PTX_CODE) if ptx else (_SASS_ARCH, _SASS_CODE)
    for line in text.splitlines():
        if match := arch_line.match(line):
            arch = match[1]
        elif match := (_PTX_FUNCTION.search(line) if ptx else _SASS_FUNCTION.match(line)):
            name = f"{source}: {resources.readable(match[1])}"
            codes = found.setdefault((name, arch), set())
        elif match := code_line.match(line):
            codes.add(match[1])
    return [Listing(name, arch, frozenset(codes)) for (name, arch), codes in found.items()]


def find_cuobjdump(toolkit: Toolkit) -> Path | None:
    """Find it on the PATH, with nvcc, or in Triton's package, which brings its own."""
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")]
    places = [Path(home, "bin") for home in homes if home] + [toolkit.nvcc.resolve().parent]
    triton = find_spec("triton")
    if triton is not None and triton.submodule_search_locations:
        places += [Path(p, "backends/nvidia/bin") for p in triton.submodule_search_locations]
    found = shutil.which("cuobjdump") or shutil.which(
        "cuobjdump", path=os.pathsep.join(map(str, places))
    )
    return Path(found) if found else None


def sass(cuobjdump: Path, binary: Path, source: str) -> list[Listing]:
    """The kernels in an object as the GPU will run them, for all its architectures."""
    return parse(_output([cuobjdump, "-sass", binary]), source)


def ptx(plan: Plan, source: Path) -> Iterator[Listing]:
    """The kernels of a .cu file as the compiler hands them to ptxas."""
    toolkit = plan.toolkit_of(source)
    for arch in toolkit.archs:
        one = replace(toolkit, archs=(arch,))
        options = flags.nvcc(one, plan.compiler, werror=False)
        # What nvcc takes for a whole object and refuses for PTX alone.
        begin = options.index("-gencode")
        options[begin : begin + 2] = [f"-arch={arch.replace('sm_', 'compute_')}"]
        text = _output([one.nvcc, *options, "-ptx", source, "-o", "-"], cwd=plan.root)
        yield from parse(text, source.stem)


def of_build(plan: Plan) -> list[Listing]:
    """The kernels of the whole build: SASS, or PTX where there is no cuobjdump."""
    assert plan.toolkit is not None
    cuobjdump = find_cuobjdump(plan.toolkit)
    found: list[Listing] = []
    for source in resources.sources(plan):
        if cuobjdump is None:
            found += ptx(plan, source)
        else:
            found += sass(cuobjdump, resources.object_of(plan, source), source.stem)
    return found


def _output(command: list[str | Path], cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    # cuobjdump says so of an object without kernels, and fails.
    assert done.returncode == 0 or "does not contain device code" in done.stderr, done.stderr
    return done.stdout
