"""The one source of compiler and linker flags."""

import platform
import sysconfig

from build_tools.cuda import Toolkit
from build_tools.toolchain import Compiler, Torch

# The oldest torch that the extension runs with; its stable ABI has had all we call since then.
TORCH_TARGET = "0x020b000000000000ULL"
# Python 3.10's limited API, so that one binary serves every later Python.
PYTHON_LIMITED_API = "0x030a0000"

CXX_STANDARD = "-std=gnu++17"
_INCLUDE = ["-Icsrc/include"]
_WARNINGS = ["-Wall", "-Wextra"]

# Never -march=native: a wheel is built on one machine and runs on another. Each set is a copy of
# csrc/cpu/isa, and the running CPU decides which one is called.
_AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mf16c"]
_ISA_FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": _AVX512,
    "avx512bf16": [*_AVX512, "-mavx512bf16"],
}

# A finding ends the process. vptr would need run-time types that torch hides. With -O3 the kernels
# would take minutes to compile, without optimisation to run.
_SANITIZE = [
    *["-O1", "-g1", "-fno-omit-frame-pointer"],
    *["-fsanitize=address,undefined", "-fno-sanitize=vptr", "-fno-sanitize-recover=undefined"],
]


def isas() -> list[str]:
    """The instruction sets that csrc/cpu/isa is compiled for on this machine, baseline first."""
    return list(_ISA_FLAGS) if platform.machine() in ("x86_64", "AMD64") else ["baseline"]


def cxx(*, werror: bool, sanitize: bool = False) -> list[str]:
    """Flags of every C++ file."""
    return [
        *(_SANITIZE if sanitize else ["-O3"]),
        *[CXX_STANDARD, "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden"],
        *["-ffp-contract=fast", "-fno-math-errno"],
        *_WARNINGS,
        *(["-Werror"] if werror else []),
        *_INCLUDE,
        *[f"-DLRCN_HAVE_{isa.upper()}" for isa in isas() if isa != "baseline"],
    ]


def cxx_isa(isa: str) -> list[str]:
    """Further flags of a file in csrc/cpu/isa, for one of ``isas()``."""
    return [f"-DLRCN_ISA={isa}", *_ISA_FLAGS[isa]]


def binding(torch: Torch, toolkit: Toolkit | None) -> list[str]:
    """Further flags of a file in csrc/bindings, the only ones that see torch and Python."""
    flags = [
        f"-DTORCH_TARGET_VERSION={TORCH_TARGET}",
        f"-DPy_LIMITED_API={PYTHON_LIMITED_API}",
        # -isystem: the warnings of torch's headers are not ours to mend.
        *["-isystem", str(torch.include)],
        *["-isystem", sysconfig.get_path("include")],
        f'-DLRCN_CUDA_ARCHS="{";".join(toolkit.archs) if toolkit else ""}"',
        f'-DLRCN_NVCC_VERSION="{toolkit.version if toolkit else ""}"',
    ]
    return [*flags, "-DLRCN_WITH_CUDA"] if toolkit else flags


def nvcc(toolkit: Toolkit, compiler: Compiler, *, werror: bool) -> list[str]:
    """Flags of every .cu file.

    No --use_fast_math: the accuracy of sigmoid and tanh is part of what the package promises.
    """
    host = [*compiler.flags, "-fPIC", "-fvisibility=hidden", *_WARNINGS]
    return [
        *["-O3", "-std=c++17", "-ccbin", str(compiler.path), *toolkit.gencode],
        *["-Xcompiler", ",".join([*host, "-Werror"] if werror else host)],
        *(["-Werror", "all-warnings"] if werror else []),
        # Not with --threads: the reports of several architectures would run into each other.
        *["-Xptxas", "-v"],
        *["-Icsrc/include", "-Icsrc/cuda"],
    ]


def link(torch: Torch, toolkit: Toolkit | None, *, sanitize: bool = False) -> list[str]:
    """Flags and libraries of the extension.

    libtorch must stay on the list of needed libraries although no symbol comes from it: in a CUDA
    build of torch it is what brings libtorch_cuda, and with it the current stream, into sight.
    """
    flags = ["-shared", f"-L{torch.library}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu"]
    flags += _SANITIZE if sanitize else []
    if toolkit is None:
        return flags
    cudart = [f"-L{toolkit.library_dir}", "-lcudart_static", "-lrt", "-lpthread", "-ldl"]
    return [*flags, "-Wl,--as-needed", *cudart, "-Wl,--exclude-libs,ALL"]
