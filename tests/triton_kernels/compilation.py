"""What the operators would launch on a GPU, compiled for one without having any.

The launches are recorded from real calls on the CPU, so that what is compiled has the arguments,
block sizes and options of the calls, and the order of the arguments is checked too.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

_TYPES = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.uint8: "*u8",
    torch.int64: "*i64",
    torch.int32: "*i32",
}


@dataclass
class Launch:
    """A kernel, its arguments by name, and the options that it is compiled with."""

    kernel: Any
    arguments: dict[str, Any]
    options: dict[str, int]
    grid: tuple[int, ...]


class Recorder:
    """Stands for a kernel: ``recorder[grid](*arguments)`` notes instead of launching."""

    def __init__(self, kernel: Any, launches: list[Launch]) -> None:
        self.kernel, self.launches = kernel, launches

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def note(*arguments: Any, **options: int) -> None:
            named = dict(zip(self.kernel.arg_names, arguments, strict=True))
            self.launches.append(Launch(self.kernel, named, options, grid))

        return note


def record(
    patch: pytest.MonkeyPatch, processors: int, call: Callable[[], object]
) -> dict[str, list[Launch]]:
    """The launches of a call by the kernel's name, as on a GPU of so many processors."""
    from lrcn_fast.triton_kernels import (
        backward_kernels,
        cell_kernels,
        cross_entropy_kernel,
        forward_kernels,
        frames_kernel,
        lstm,
        pool_kernels,
        search_kernels,
    )

    launches: list[Launch] = []
    with patch.context() as inner:
        # The functions of the package hide the modules of the same names.
        names = ("lstm_step", "vocabulary_top_k")
        steps = [import_module(f"lrcn_fast.triton_kernels.{name}") for name in names]
        for module in (lstm, *steps):
            inner.setattr(module, "processors", lambda tensor: processors)
        modules = (forward_kernels, backward_kernels, cell_kernels, frames_kernel, pool_kernels)
        for module in (*modules, cross_entropy_kernel, search_kernels):
            for name in module.__all__:
                inner.setattr(module, name, Recorder(getattr(module, name), launches))
        call()
    by_name: dict[str, list[Launch]] = {}
    for launch in launches:
        by_name.setdefault(launch.kernel.__name__, []).append(launch)
    return by_name


def compiled(launch: Launch, capability: int) -> Any:
    """Compile as Triton's just-in-time compiler does on the first launch."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature: dict[str, str] = {}
    constants: dict[str, Any] = {}
    attributes: dict[tuple[int], list[list[object]]] = {}
    for number, parameter in enumerate(launch.kernel.params):
        value = launch.arguments[parameter.name]
        fixed = parameter.do_not_specialize
        if (
            parameter.is_constexpr
            or value is None
            or (type(value) is int and value == 1 and not fixed)
        ):
            signature[parameter.name] = "constexpr"
            constants[parameter.name] = value
            continue
        if isinstance(value, Tensor):
            signature[parameter.name] = _TYPES[value.dtype]
            value = value.data_ptr()
        elif isinstance(value, float):
            signature[parameter.name] = "fp32"
            continue
        else:
            signature[parameter.name] = "i32" if abs(value) < 2**31 else "i64"
        if value % 16 == 0 and not fixed:
            attributes[(number,)] = [["tt.divisibility", 16]]
    source = ASTSource(launch.kernel, signature, constexprs=constants, attrs=attributes)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=launch.options)


def resources(kernel: Any, folder: Any) -> dict[str, int]:
    """What ptxas gave to a compiled kernel: REG, STACK, SHARED, LOCAL .. of its cubin."""
    import triton

    path = folder / "kernel.cubin"
    path.write_bytes(kernel.asm["cubin"])
    command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in re.findall(r"([A-Z]+)(?:\[0\])?:(\d+)", shown)}
