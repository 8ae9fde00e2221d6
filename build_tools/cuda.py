"""Finds nvcc, and the architectures and libraries to use with it.

torch's own search is of no use here: a CPU-only torch knows no CUDA_HOME, and it is against such a
torch that a wheel for every machine is built.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from build_tools.errors import stop
from build_tools.settings import Settings

DEFAULT_HOME = "/usr/local/cuda"
_NO_NVCC = (
    "LRCN_FAST_CUDA=1, but nvcc was not found (looked at CUDACXX, CUDA_HOME, PATH and "
    f"{DEFAULT_HOME}): install the CUDA toolkit or set LRCN_FAST_CUDA=0"
)


@dataclass(frozen=True)
class Toolkit:
    """A CUDA toolkit.

    Attributes:
        nvcc: the compiler.
        version: such as "13.0".
        library_dir: the folder of libcudart_static.a.
        archs: the architectures to compile for, such as ("sm_80", "sm_90a").
    """

    nvcc: Path
    version: str
    library_dir: Path
    archs: tuple[str, ...]

    @property
    def gencode(self) -> list[str]:
        """nvcc flags for every architecture, and PTX for the GPUs that come after them.

        PTX of a feature-specific architecture (a trailing "a" or "f") does not run on later GPUs,
        so it is taken from the newest plain one.
        """
        plain = [arch for arch in self.archs if arch[-1].isdigit()]
        newest = max(plain, key=_number, default=None)
        flags = []
        for arch in self.archs:
            virtual = arch.replace("sm_", "compute_")
            code = f"[{arch},{virtual}]" if arch == newest else arch
            flags += ["-gencode", f"arch={virtual},code={code}"]
        return flags

    def oldest(self) -> "Toolkit":
        """The toolkit for no architecture whose GPUs run the machine code of an older one."""
        plain = [arch for arch in self.archs if arch[-1].isdigit()]
        first: dict[int, str] = {}
        for arch in sorted(plain, key=_number):
            first.setdefault(_number(arch) // 10, arch)
        kept = [arch for arch in self.archs if arch not in plain or arch in first.values()]
        return replace(self, archs=tuple(kept))


def find(settings: Settings, environ: Mapping[str, str] | None = None) -> Toolkit | None:
    """Find the toolkit that the settings ask for.

    Args:
        settings: the build's settings.
        environ: the environment, ``os.environ`` by default.

    Returns:
        The toolkit, or None where CUDA is switched off, or left to what is found and nothing is.

    Raises:
        SystemExit: CUDA was asked for and there is no nvcc, or nvcc cannot do what was asked.
    """
    if settings.cuda == "0":
        return None
    environ = os.environ if environ is None else environ
    nvcc = next((path for path in _candidates(environ) if os.access(path, os.X_OK)), None)
    if nvcc is None:
        if settings.cuda == "1":
            stop(_NO_NVCC)
        return None
    return Toolkit(nvcc, _version(nvcc), _library_dir(nvcc), _archs(nvcc, settings))


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if compiler := environ.get("CUDACXX"):
        found = shutil.which(compiler, path=environ.get("PATH"))
        if found is None:
            stop(f"CUDACXX={compiler!r} is no program: set it to nvcc's path, or unset it")
        yield Path(found)
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if home := environ.get(variable):
            yield Path(home, "bin", "nvcc")
    if found := shutil.which("nvcc", path=environ.get("PATH", "")):
        yield Path(found)
    yield Path(DEFAULT_HOME, "bin", "nvcc")


def _ask(nvcc: Path, *arguments: str) -> str:
    try:
        done = subprocess.run([nvcc, *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(
            f"{nvcc} {' '.join(arguments)} failed ({error}): "
            "mend it or set LRCN_FAST_CUDA=0 to build without CUDA"
        )
    return done.stdout + done.stderr


def _version(nvcc: Path) -> str:
    match = re.search(r"release (\d+\.\d+)", _ask(nvcc, "--version"))
    return match[1] if match else "unknown"


def _library_dir(nvcc: Path) -> Path:
    # nvcc on the PATH is often a wrapper script, so its own folder says nothing.
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.cu")
        source.touch()
        plan = _ask(nvcc, "--dryrun", "-c", "-o", os.devnull, str(source))
    homes = [Path(top) for top in re.findall(r"^#\$ TOP=(.+)$", plan, re.MULTILINE)]
    homes.append(nvcc.resolve().parent.parent)
    for home in homes:
        for folder_name in ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"):
            if (home / folder_name / "libcudart_static.a").is_file():
                return (home / folder_name).resolve()
    stop(
        f"libcudart_static.a of {nvcc} was not found: install the CUDA runtime's development "
        "files or set LRCN_FAST_CUDA=0 to build without CUDA"
    )


def _number(arch: str) -> int:
    return int(re.sub(r"\D", "", arch))


def _archs(nvcc: Path, settings: Settings) -> tuple[str, ...]:
    known = {_number(arch) for arch in _ask(nvcc, "--list-gpu-code").split()}
    archs = tuple(arch for arch in settings.cuda_archs if _number(arch) in known)
    unknown = [arch for arch in settings.cuda_archs if arch not in archs]
    if unknown and (settings.cuda_archs_asked or not archs):
        names = ", ".join(unknown)
        stop(f"{nvcc} does not know {names}: set LRCN_FAST_CUDA_ARCHS to what it knows")
    return archs
