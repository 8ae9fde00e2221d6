"""Which kernel of the native backend runs a sequence on which GPU, and why.

``csrc/plan`` decides, on numbers alone: it can be asked about any GPU on any machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from lrcn_fast import _loader

__all__ = ["GPUS", "Gpu", "Plan", "plan", "use_persistent"]

_KIB = 1024
_PRODUCTS = {"highest": "float32", "high": "tf32x3", "medium": "tf32"}


@dataclass(frozen=True)
class Gpu:
    """What the planner knows about a GPU.

    Attributes:
        capability: such as (9, 0).
        multiprocessors: of the GPU, or of the part of it that is the device.
        shared_bytes_per_block: at most, opted in.
        shared_bytes_per_multiprocessor: of which each block takes 1 KiB for the system.
        registers_per_multiprocessor: of 4 bytes.
        clusters_of_2, clusters_of_4, clusters_of_8, clusters_of_16: of blocks with all their shared
            memory, at the same time; 0 without.
        clock_mhz: for the model of time alone.
    """

    capability: tuple[int, int]
    multiprocessors: int
    shared_bytes_per_block: int
    shared_bytes_per_multiprocessor: int
    registers_per_multiprocessor: int
    clusters_of_2: int
    clusters_of_4: int
    clusters_of_8: int
    clusters_of_16: int
    clock_mhz: int

    @classmethod
    def present(cls, index: int | None = None) -> "Gpu":
        """Return that of this machine.

        How many clusters run at the same time is not torch's to say. An extension without CUDA
        kernels does not ask the GPU either: then it is as many as there are multiprocessors for.

        Args:
            index: of the device; None for the current one.

        Raises:
            RuntimeError: torch sees no such GPU.
        """
        seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (index or 0) not in range(seen):
            raise RuntimeError(f"gpu: torch sees {seen} GPUs here, and not number {index or 0}")
        index = torch.cuda.current_device() if index is None else index
        module = _loader.load()
        if module is not None:
            with torch.cuda.device(index):
                asked = module.present_gpu()
            if asked is not None:
                return cls(**(asked | {"capability": divmod(asked["capability"], 10)}))
        found: Any = torch.cuda.get_device_properties(index)
        clusters = found.multi_processor_count if found.major in (9, 10) else 0
        return cls(
            (found.major, found.minor),
            found.multi_processor_count,
            found.shared_memory_per_block_optin,
            found.shared_memory_per_multiprocessor,
            found.regs_per_multiprocessor,
            clusters // 2,
            clusters // 4,
            clusters // 8,
            clusters // 16,
            found.clock_rate // 1000,
        )

    def __str__(self) -> str:
        names = [name for name, known in GPUS.items() if known == self]
        major, minor = self.capability
        sizes = f"{self.multiprocessors} multiprocessors of capability {major}.{minor}"
        return " or ".join(names) or f"a GPU with {sizes}"


_NO_CLUSTERS = (0, 0, 0, 0)
_CLUSTERS = (66, 32, 16, 8)
GPUS = {
    "A100": Gpu((8, 0), 108, 163 * _KIB, 164 * _KIB, 65536, *_NO_CLUSTERS, 1410),
    "H100": Gpu((9, 0), 132, 227 * _KIB, 228 * _KIB, 65536, *_CLUSTERS, 1755),
    "H200": Gpu((9, 0), 132, 227 * _KIB, 228 * _KIB, 65536, *_CLUSTERS, 1755),
    "L4": Gpu((8, 9), 58, 99 * _KIB, 100 * _KIB, 65536, *_NO_CLUSTERS, 2040),
    "RTX 4090": Gpu((8, 9), 128, 99 * _KIB, 100 * _KIB, 65536, *_NO_CLUSTERS, 2520),
}
"""Recorded properties, by name; A100 and H100 in their SXM form. Their numbers of clusters are
assumptions until one of these GPUs has been asked."""


@dataclass(frozen=True)
class Plan:
    """How scans are run: one layer in one direction each. A ``"step"`` has no counts but ``scans``
    and ``cluster``: its launches choose.

    Attributes:
        kernel: ``"step"`` (one launch a step), ``"cluster"`` or ``"grid"`` (one launch a sequence,
            W_hh stays on chip).
        variant: of the kernel, as it was compiled; -1 for ``"step"``.
        scans: that a launch takes; the others take further launches.
        cluster: blocks of a cluster; 1 without.
        blocks: of the launch.
        units: hidden units that a block owns.
        rows: of the batch in a slice.
        slices: of the batch of a scan.
        register_bytes: of weights, in the busiest multiprocessor.
        shared_bytes: of a block.
        start_us: modelled microseconds of all launches besides their steps.
        step_us: and of a step of all scans, recurrence only.
        floor_us: what the hardware allows by the same model, whatever the kernel.
        reason: why this kernel, or why none that keeps W_hh on chip.
        choices: kernel, variant and scans of all that beat one launch a step, the fastest first:
            a launch that finds no room on the GPU is left to the next.
    """

    kernel: str
    variant: int
    scans: int
    cluster: int
    blocks: int
    units: int
    rows: int
    slices: int
    register_bytes: int
    shared_bytes: int
    start_us: float
    step_us: float
    floor_us: float
    reason: str
    choices: tuple[tuple[str, int, int], ...]

    def __str__(self) -> str:
        times = f"modelled {self.step_us:.2f} us a step, floor {self.floor_us:.2f} us"
        if self.kernel == "step":
            return f"step: {times}\n{self.reason}"
        clusters = f" in clusters of {self.cluster}" if self.cluster > 1 else ""
        scans = f"{self.scans} scans of " if self.scans > 1 else ""
        return (
            f"{self.kernel}: {self.blocks} blocks{clusters}, {self.units} units each, "
            f"{scans}{self.slices} x {self.rows} rows; {times}\n"
            f"{self.register_bytes} bytes of weights in the registers of a multiprocessor, "
            f"{self.shared_bytes} bytes of shared memory a block\n{self.reason}"
        )


def plan(
    gpu: Gpu | str,
    dtype: torch.dtype,
    hidden_size: int,
    *,
    batch: int,
    steps: int,
    backward: bool = False,
    proj_size: int = 0,
    scans: int = 1,
    precision: str | None = None,
) -> Plan:
    """Plan scans, one layer in one direction each, on a GPU as :func:`use_persistent` allows.

    Args:
        gpu: properties, or a name of ``GPUS``.
        dtype: of the input and the weights.
        hidden_size: H.
        batch: B.
        steps: T.
        backward: plan the backward pass.
        proj_size: P with a projection, else 0.
        scans: of these sizes, independent of each other, such as both directions; up to 4.
        precision: of float32 products, ``"highest"``, ``"high"`` or ``"medium"``, as
            ``torch.set_float32_matmul_precision`` has them; None for what is set there.

    Raises:
        RuntimeError: the extension is not built; the message says what to do about it.
        ValueError: an argument is out of range, or no such GPU is recorded.
    """
    asked = request(
        gpu,
        dtype,
        hidden_size,
        batch=batch,
        steps=steps,
        backward=backward,
        proj_size=proj_size,
        scans=scans,
        precision=precision,
    )
    return Plan(**extension().plan_lstm(*asked))


def request(
    gpu: Gpu | str,
    dtype: torch.dtype,
    hidden_size: int,
    *,
    batch: int,
    steps: int,
    backward: bool = False,
    proj_size: int = 0,
    scans: int = 1,
    precision: str | None = None,
) -> tuple[dict[str, int], dict[str, Any]]:
    """The GPU and the problem of :func:`plan` as the extension's planner takes them."""
    if isinstance(gpu, str):
        if gpu not in GPUS:
            raise ValueError(f"gpu: expected one of {_names()}, got {gpu!r}")
        gpu = GPUS[gpu]
    precision = precision_set() if precision is None else precision
    if precision not in _PRODUCTS:
        raise ValueError(f"precision: expected one of {', '.join(_PRODUCTS)}, got {precision!r}")
    properties = asdict(gpu) | {"capability": 10 * gpu.capability[0] + gpu.capability[1]}
    problem = {
        "backward": backward,
        "dtype": str(dtype).removeprefix("torch."),
        "products": _PRODUCTS[precision],
        "steps": steps,
        "batch": batch,
        "hidden": hidden_size,
        "projects": proj_size > 0,
        "scans": scans,
        "persistent": extension().persistent(),
    }
    return properties, problem


@contextmanager
def use_persistent(choice: str) -> Iterator[None]:
    """Choose inside the ``with`` block, for all threads, whether kernels stay for a sequence.

    They keep the recurrent weights on chip, and are the native backend's on CUDA. A backward that
    runs after the block has ended is not bound by it.

    Args:
        choice: a value of LRCN_FAST_PERSISTENT: ``"auto"`` where the planner expects them to be
            faster, ``"0"`` never, ``"1"`` wherever they fit.

    Raises:
        RuntimeError: the extension is not built; the message says what to do about it.
        ValueError: ``choice`` is none of the three.
    """
    module = extension()
    before = module.persistent()
    module.set_persistent(choice)
    try:
        yield
    finally:
        module.set_persistent(before)


def extension() -> Any:
    """The compiled module.

    Raises:
        RuntimeError: it is not built; the message says what to do about it.
    """
    module = _loader.load()
    if module is None:
        raise RuntimeError(str(_loader.reason))
    return module


def _names() -> str:
    return ", ".join(map(repr, GPUS))


def precision_set() -> str:
    """What torch.set_float32_matmul_precision was given, or what stands for it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set through torch.backends, for CUDA alone
        return "medium" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "highest"
