"""The build: settings, the search for tools, and errors of one line."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import cuda, extension, flags, toolchain
from build_tools.extension import run_ninja
from build_tools.plan import Plan
from build_tools.settings import DEFAULT_CUDA_ARCHS, Settings, read
from tests.packaging.run import ROOT, run, run_python


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LRCN_FAST_CUDA", "yes"),
        ("LRCN_FAST_WERROR", "2"),
        ("LRCN_FAST_SANITIZE", "yes"),
        ("LRCN_FAST_CUDA_ARCHS", "sm_80,hopper"),
    ],
)
def test_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SystemExit, match=rf"^lrcn_fast: {name}='{value}'.*expected"):
        read({name: value})


def test_archs_may_be_separated_in_any_way() -> None:
    assert read({"LRCN_FAST_CUDA_ARCHS": "sm_80; sm_90a,sm_120"}).cuda_archs == (
        "sm_80",
        "sm_90a",
        "sm_120",
    )
    assert read({}).cuda_archs == DEFAULT_CUDA_ARCHS


@pytest.mark.parametrize(
    "archs, kept",
    [
        ("sm_80 sm_86 sm_89 sm_90a sm_100", "sm_80 sm_90a sm_100"),
        ("sm_89 sm_86", "sm_86"),
        ("sm_90 sm_90a sm_100f sm_103", "sm_90 sm_90a sm_100f sm_103"),
    ],
)
def test_the_oldest_architectures_run_on_the_others(archs: str, kept: str) -> None:
    toolkit = cuda.Toolkit(Path("nvcc"), "13.0", Path("lib"), tuple(archs.split()))
    assert " ".join(toolkit.oldest().archs) == kept


def test_ptx_comes_from_the_newest_plain_architecture() -> None:
    gencode = cuda.Toolkit(Path("nvcc"), "13.0", Path("lib"), ("sm_80", "sm_89", "sm_90a")).gencode
    assert gencode[1::2] == [
        "arch=compute_80,code=sm_80",
        "arch=compute_89,code=[sm_89,compute_89]",
        "arch=compute_90a,code=sm_90a",
    ]


def test_cuda_switched_off_looks_for_nothing() -> None:
    assert cuda.find(Settings(cuda="0"), {"CUDACXX": "/does/not/exist"}) is None


def test_no_nvcc_is_no_error_unless_cuda_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "DEFAULT_HOME", str(tmp_path))
    assert cuda.find(Settings(cuda="auto"), {"PATH": str(tmp_path)}) is None
    with pytest.raises(SystemExit, match=r"^lrcn_fast: LRCN_FAST_CUDA=1, but nvcc was not found"):
        cuda.find(Settings(cuda="1"), {"PATH": str(tmp_path)})


def test_wrong_cudacxx_is_named() -> None:
    with pytest.raises(SystemExit, match=r"CUDACXX='/does/not/exist' is no program"):
        cuda.find(Settings(), {"CUDACXX": "/does/not/exist"})


def test_nvcc_that_fails_says_how_to_build_without(tmp_path: Path) -> None:
    broken = tmp_path / "nvcc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(SystemExit, match="LRCN_FAST_CUDA=0 to build without CUDA"):
        cuda.find(Settings(), {"CUDACXX": str(broken)})


def test_setup_without_nvcc_prints_one_line(tmp_path: Path) -> None:
    code = f"""
import os, runpy, sys
sys.path.insert(0, {str(ROOT)!r})
from build_tools import cuda
cuda.DEFAULT_HOME = {str(tmp_path)!r}
os.environ["PATH"] = {str(Path(shutil.which("g++") or "").parent)!r}
found = cuda.shutil.which
cuda.shutil.which = lambda name, path=None: None if name == "nvcc" else found(name, path=path)
sys.argv = ["setup.py", "--quiet", "build_ext", "--build-lib", {str(tmp_path)!r}]
os.chdir({str(ROOT)!r})
runpy.run_path("setup.py", run_name="__main__")
"""
    shown = run_python(code, cwd=tmp_path, fails=True, LRCN_FAST_CUDA="1").strip().splitlines()
    assert shown[-1].startswith("lrcn_fast: LRCN_FAST_CUDA=1, but nvcc was not found")
    assert "Traceback" not in "".join(shown)


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SystemExit, match=r"no C\+\+ compiler found.*no-such-compiler.*install"):
        toolchain.find_compiler()


@pytest.mark.parametrize(
    "value, launchers, flags",
    [
        ("", [], []),
        ("g++", [], []),
        ("g++ -m64", [], ["-m64"]),
        ("ccache g++", ["ccache"], []),
        ("distcc", ["distcc"], []),
        ("/opt/bin/ccache distcc g++ -m64 '-DA=b c'", ["/opt/bin/ccache", "distcc"], None),
    ],
)
def test_cxx_may_hold_flags_and_launchers(
    value: str, launchers: list[str], flags: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", value)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: f"/found/{name}")
    compiler = toolchain.find_compiler()
    flags = ["-m64", "-DA=b c"] if flags is None else flags
    assert compiler.path == Path("/found/g++")
    assert compiler.command == [*launchers, "/found/g++", *flags]


@pytest.mark.parametrize(
    "value, message",
    [
        ("g+ -m64", r"no C\+\+ compiler found \(looked for g\+\)"),
        ("g++ -m64 '", r"CXX=.* is no command line"),
        ("icecc g++", r"CXX='icecc g\+\+': icecc was not found"),
    ],
)
def test_wrong_cxx_is_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which
    monkeypatch.setattr(
        toolchain.shutil, "which", lambda name: None if name == "icecc" else found(name)
    )
    monkeypatch.setenv("CXX", value)
    with pytest.raises(SystemExit, match=message):
        toolchain.find_compiler()


def test_launchers_and_flags_reach_the_commands() -> None:
    toolkit = cuda.Toolkit(Path("nvcc"), "13.0", Path("lib"), ("sm_80",))
    compiler = toolchain.Compiler(Path("/my tools/g++"), ("-m64",), ("ccache",))
    text = plan(ROOT, toolkit, compiler).ninja_file()
    commands = [line for line in text.splitlines() if line.startswith("  command = ccache")]
    assert len(commands) == 2
    assert all(line.startswith("  command = ccache '/my tools/g++' -m64 $") for line in commands)
    block = text.split("build objects/cuda/lstm_cell.cu.o:")[1]
    assert "-ccbin '/my tools/g++' " in block and "-Xcompiler -m64,-fPIC," in block


def test_ninja_gets_the_cpus_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension.os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert extension._cpus() == 3
    monkeypatch.delattr(extension.os, "sched_getaffinity")
    monkeypatch.setattr(extension.os, "cpu_count", lambda: None)
    assert extension._cpus() == 1


def test_too_old_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.importlib.metadata, "version", lambda _: "2.10.1")
    with pytest.raises(SystemExit, match=r"torch>=2.11 is needed to build, found 2.10.1"):
        toolchain.find_torch()


def plan(
    root: Path,
    toolkit: cuda.Toolkit | None = None,
    compiler: toolchain.Compiler | None = None,
) -> Plan:
    torch = toolchain.Torch("2.13.0", Path("include"), Path("lib"))
    compiler = compiler or toolchain.Compiler(Path("g++"))
    return Plan(root, Path("objects"), compiler, torch, toolkit, werror=True)


def test_each_file_gets_its_flags() -> None:
    text = plan(ROOT).ninja_file()
    builds = {block.split(":")[0]: block for block in text.split("build ")[1:]}
    for isa in flags.isas():
        block = builds[f"objects/cpu/isa/kernels.cpp.{isa}.o"]
        assert f"-DLRCN_ISA={isa}" in block
        assert ("-mavx512f" in block) == isa.startswith("avx512")
    assert "-march=native" not in text
    assert "TORCH_TARGET_VERSION" in builds["objects/bindings/cpu.cpp.o"]
    for kernel in ("objects/cpu/lstm.cpp.o", "objects/plan/lstm.cpp.o"):
        assert "torch" not in builds[kernel].lower()
    assert not any(name.endswith((".cu.o", "cuda.cpp.o")) for name in builds)


def test_cuda_adds_its_files() -> None:
    toolkit = cuda.Toolkit(Path("/cuda/bin/nvcc"), "13.0", Path("/cuda/lib64"), ("sm_80",))
    text = plan(ROOT, toolkit).ninja_file()
    assert "objects/cuda/lstm_cell.cu.o" in text
    assert "objects/bindings/cuda.cpp.o" in text
    assert "-lcudart_static" in text
    assert "fast_math" not in text


NVCC = """\
#!/bin/sh
case "$1" in
  --version) echo "Cuda compilation tools, release 13.0, V13.0.88" ;;
  --list-gpu-code) echo "sm_80 sm_89 sm_90 sm_100" ;;
  --dryrun) echo "#$ TOP={home}" ;;
  *) exit 1 ;;
esac
"""


def test_one_architecture_is_planned_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the variable to the commands that ninja would run."""
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64" / "libcudart_static.a").touch()
    nvcc = tmp_path / "nvcc"
    nvcc.write_text(NVCC.format(home=tmp_path))
    nvcc.chmod(0o755)
    for name, value in {
        "CUDACXX": str(nvcc),
        "CUDA_VISIBLE_DEVICES": "",
        "LRCN_FAST_CUDA": "1",
        "LRCN_FAST_CUDA_ARCHS": "sm_90a",
    }.items():
        monkeypatch.setenv(name, value)
    made = replace(extension.make_plan(), objects=tmp_path / "objects")
    (tmp_path / "build.ninja").write_text(made.ninja_file())
    ninja = [toolchain.find_ninja(), "-C", ROOT, "-f", tmp_path / "build.ninja", "-n", "-v"]
    commands = [line for line in run(ninja, cwd=ROOT).splitlines() if line.startswith("[")]
    kernels = [line for line in commands if f"] {nvcc} " in line]
    assert len(kernels) == len(list((ROOT / "csrc" / "cuda").glob("*.cu"))) > 0
    for command in kernels:
        assert re.findall(r"-gencode (\S+)", command) == ["arch=compute_90a,code=sm_90a"]
    bindings = [line for line in commands if " -c csrc/bindings/" in line]
    assert bindings and all('-DLRCN_CUDA_ARCHS="sm_90a"' in line for line in bindings)
    assert f"-L{tmp_path / 'lib64'} -lcudart_static" in commands[-1]


@pytest.mark.parametrize(
    ("cxx", "cu", "message"),
    [
        ("int x;", "", r"nvcc failed: LRCN_FAST_CUDA=0 builds without CUDA"),
        ("syntax error", None, r"the extension was not built: see the compiler's errors above"),
    ],
)
def test_compiler_that_fails_is_named(
    cxx: str, cu: str | None, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in ("bindings", "cuda"):
        (tmp_path / "csrc" / folder).mkdir(parents=True)
    (tmp_path / "csrc" / "bindings" / "module.cpp").write_text(cxx)
    if cu is not None:
        (tmp_path / "csrc" / "cuda" / "kernel.cu").write_text(cu)
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("#!/bin/sh\nexit 1\n")
    nvcc.chmod(0o755)
    with pytest.raises(SystemExit, match=message):
        run_ninja(plan(tmp_path, cuda.Toolkit(nvcc, "13.0", Path("lib"), ("sm_80",))))
    assert "FAILED:" in capfd.readouterr().out


@pytest.mark.parametrize("code", [0, 1])
def test_report_of_ptxas_is_kept_and_warnings_are_shown(code: int, tmp_path: Path) -> None:
    for name in ("bindings/module.cpp", "cuda/kernel.cu"):
        (tmp_path / "csrc" / name).parent.mkdir(parents=True)
        (tmp_path / "csrc" / name).touch()
    info = [
        "ptxas info    : Compiling entry function 'step' for 'sm_80'",
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
        "ptxas info    : Used 32 registers",
    ]
    told = [*info, "kernel.cu(3): warning #177-D: unused"]
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("\n".join(["#!/bin/sh", "cat >&2 <<'END'", *told, "END", f"exit {code}"]))
    nvcc.chmod(0o755)
    toolkit = cuda.Toolkit(nvcc, "13.0", Path("lib"), ("sm_80",))
    (tmp_path / "build.ninja").write_text(plan(tmp_path, toolkit).ninja_file())
    shown = run(
        [toolchain.find_ninja(), "objects/cuda/kernel.cu.o"], cwd=tmp_path, fails=code != 0
    ).splitlines()
    report = tmp_path / "objects" / "cuda" / "kernel.cu.o.ptxas"
    assert report.read_text().splitlines() == told
    assert told[-1] in shown
    assert [line in shown for line in info] == [code != 0] * 3


def test_incomplete_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"csrc/bindings holds no \.cpp file"):
        plan(tmp_path).ninja_file()


def test_flags_with_quotes_reach_the_compiler(tmp_path: Path) -> None:
    (tmp_path / "csrc" / "bindings").mkdir(parents=True)
    source = "extern const char* archs; const char* archs = LRCN_CUDA_ARCHS;\n"
    (tmp_path / "csrc" / "bindings" / "module.cpp").write_text(source)
    toolkit = cuda.Toolkit(Path("nvcc"), "13.0", Path("lib"), ("sm_80", "sm_90a"))
    (tmp_path / "build.ninja").write_text(plan(tmp_path, toolkit).ninja_file())
    ninja = toolchain.find_ninja()
    subprocess.run([ninja, "objects/bindings/module.cpp.o"], cwd=tmp_path, check=True)
    assert b"sm_80;sm_90a" in (tmp_path / "objects/bindings/module.cpp.o").read_bytes()
