"""What is compiled with which flags, as a ninja file."""

from dataclasses import dataclass
from pathlib import Path

from build_tools import flags
from build_tools.cuda import Toolkit
from build_tools.errors import stop
from build_tools.toolchain import Compiler, Torch

# ptxas' report stays beside the object for the tests to read; whatever else nvcc says, such as a
# warning, is shown, and all of it where nvcc fails.
_SILENCE = "sed -e '/^ptxas info /d' -e '/ bytes stack frame, /d'"
_LARGE = "lstm_persistent"
_RULES = """\
ninja_required_version = 1.8
builddir = {objects}

rule cxx
  command = {compiler} $flags -MMD -MF $out.d -c $in -o $out
  deps = gcc
  depfile = $out.d
  description = c++ $in $isa

rule nvcc
  command = {nvcc} $flags -MMD -MF $out.d -c $in -o $out > $out.ptxas 2>&1 $
      && {silence} $out.ptxas || {{ cat $out.ptxas; false; }}
  deps = gcc
  depfile = $out.d
  description = nvcc $in

rule link
  command = {compiler} $in $flags -o $out
  description = link $out

"""


@dataclass(frozen=True)
class Plan:
    """A build of the extension.

    Attributes:
        root: the project's folder, in which every command runs.
        objects: where objects and the ninja file go.
        compiler: the C++ compiler.
        torch: the torch to build against.
        toolkit: the CUDA toolkit, or None for a CPU-only extension.
        werror: whether compiler warnings are errors.
        sanitize: whether to compile for the sanitizers.
    """

    root: Path
    objects: Path
    compiler: Compiler
    torch: Torch
    toolkit: Toolkit | None
    werror: bool
    sanitize: bool = False

    @property
    def library(self) -> Path:
        """The linked extension."""
        return self.objects / "_C.abi3.so"

    def ninja_file(self) -> str:
        """The text of the ninja file."""
        compiler = " ".join(map(_shell, self.compiler.command))
        nvcc = _shell(str(self.toolkit.nvcc)) if self.toolkit else "nvcc"
        text = [_RULES.format(objects=self.objects, compiler=compiler, nvcc=nvcc, silence=_SILENCE)]
        outputs = []
        for rule, source, isa, source_flags in self._steps():
            suffix = f".{isa}.o" if isa else ".o"
            output = self.objects / source.relative_to("csrc").with_name(source.name + suffix)
            outputs.append(output)
            text.append(_build(rule, output, [source], source_flags, isa))
        link_flags = flags.link(self.torch, self.toolkit, sanitize=self.sanitize)
        text.append(_build("link", self.library, outputs, link_flags))
        return "\n".join(text)

    def _steps(self) -> list[tuple[str, Path, str, list[str]]]:
        common = flags.cxx(werror=self.werror, sanitize=self.sanitize)
        steps: list[tuple[str, Path, str, list[str]]] = []
        for source in self._sources("csrc/bindings/*.cpp"):
            if self.toolkit or not source.name.startswith("cuda"):
                binding = flags.binding(self.torch, self.toolkit)
                steps.append(("cxx", source, "", [*common, *binding]))
        if not steps:
            stop("csrc/bindings holds no .cpp file: this is no complete copy of the sources")
        for folder in ("cpu", "plan"):
            sources = self._sources(f"csrc/{folder}/*.cpp")
            steps += [("cxx", source, "", common) for source in sources]
        # Baseline comes first: where an inline function is left in several objects the linker keeps
        # the first, and one compiled for AVX-512 must not serve callers on lesser CPUs.
        for isa in flags.isas():
            for source in self._sources("csrc/cpu/isa/*.cpp"):
                steps.append(("cxx", source, isa, [*common, *flags.cxx_isa(isa)]))
        if self.toolkit:
            for source in self._sources("csrc/cuda/*.cu"):
                toolkit = self.toolkit_of(source)
                cuda = flags.nvcc(toolkit, self.compiler, werror=self.werror)
                steps.append(("nvcc", source, "", cuda))
        return steps

    def toolkit_of(self, source: Path) -> Toolkit:
        """The toolkit with the architectures that a .cu file is compiled for."""
        assert self.toolkit is not None
        # Their many large kernels take minutes for each architecture.
        return self.toolkit.oldest() if source.name.startswith(_LARGE) else self.toolkit

    def _sources(self, pattern: str) -> list[Path]:
        return sorted(path.relative_to(self.root) for path in self.root.glob(pattern))


def _shell(word: str) -> str:
    quoted = "'" + word.replace("'", "'\\''") + "'" if set(word) & set(" \"'();[]$&") else word
    return quoted.replace("$", "$$")


def _build(
    rule: str, output: Path, inputs: list[Path], rule_flags: list[str], isa: str = ""
) -> str:
    paths = [str(path).replace(" ", "$ ").replace(":", "$:") for path in (output, *inputs)]
    lines = [f"build {paths[0]}: {rule} {' '.join(paths[1:])}"]
    lines.append(f"  flags = {' '.join(map(_shell, rule_flags))}")
    lines += [f"  isa = {isa}"] if isa else []
    return "\n".join(lines) + "\n"
