"""The list of backends and the choice among them."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import torch

from lrcn_fast import env
from lrcn_fast.backends import native, reference, triton
from lrcn_fast.backends.plan import Gpu
from lrcn_fast.backends.plan import plan as plan_on
from lrcn_fast.backends.spec import LstmSpec, Spec
from lrcn_fast.backends.wavefront import wavefront as wavefront_on

__all__ = ["Backend", "available", "choose", "explain", "use_backend"]


class Backend(Protocol):
    """What a module of this package provides to be a backend."""

    name: str
    priority: int
    suffix: str
    # Those that it is chosen for unasked; any when empty.
    device_types: tuple[str, ...]

    def probe(self) -> tuple[str, str] | None:
        """Return None where the backend is available, else the reason and what to do about it."""

    def supports(self, spec: Spec) -> str | None:
        """Return None, or why the call is not supported."""


_BACKENDS = sorted(
    cast("list[Backend]", [native, triton, reference]), key=lambda backend: -backend.priority
)

# A plain variable, because torch.compile does not trace context variables: the choice holds for
# all threads of the process.
_override: str | None = None
# The names behind it, oldest first, one for each block that a thread is in. Blocks of several
# threads may end in any order, so each takes out its own.
_entered: dict[object, str] = {}
_entering = threading.Lock()
_warned: set[tuple[str, str]] = set()


def available() -> list[tuple[str, str | None, str | None]]:
    """Return (name, reason, fix) of every backend, best first; the latter None if it works."""
    rows: list[tuple[str, str | None, str | None]] = []
    for backend in _BACKENDS:
        reason, fix = backend.probe() or (None, None)
        rows.append((backend.name, reason, fix))
    return rows


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Choose the backend of all calls inside the ``with`` block that name none themselves.

    It holds for all threads; where several are in such a block, the one entered last counts.

    Args:
        name: ``"native"``, ``"triton"``, ``"reference"``, or ``"auto"`` for the automatic choice.

    Raises:
        ValueError: there is no backend of that name.
        RuntimeError: it is not available here; the message says why and what to do about it.
    """
    global _override
    if name != "auto":
        backend = _named(name)
        missing = backend.probe()
        if missing is not None:
            raise RuntimeError(f"backend {name!r} is not available: {missing[0]}; {missing[1]}")
    if torch.compiler.is_compiling():
        # torch.compile traces no lock, and one thread traces the block from end to end.
        previous, _override = _override, name
        try:
            yield
        finally:
            _override = previous
        return
    block = object()
    with _entering:
        _entered[block] = name
        _override = name
    try:
        yield
    finally:
        with _entering:
            del _entered[block]
            _override = next(reversed(_entered.values()), None)


def choose(spec: Spec, requested: str | None = None) -> Backend:
    """Return the backend that runs a call.

    Args:
        spec: the call.
        requested: the caller's choice; None or ``"auto"`` leaves it to use_backend, the
            environment, and the backends' priorities, in this order.

    Raises:
        ValueError: there is no backend of the name asked for.
        RuntimeError: the backend asked for, or none at all, supports the call.
    """
    asked = requested if requested is not None else _override
    if asked is None:
        asked = env.backend()
    if asked is not None and asked != "auto":
        backend = _named(asked)
        obstacle = _obstacle(backend, spec)
        if obstacle is None:
            return backend
        raise RuntimeError(f"backend {asked!r} cannot run {spec}.\n{explain(spec)}")
    for backend in _BACKENDS:
        if _is_meant_for(backend, spec) and _obstacle(backend, spec) is None:
            _tell_of_fallback(backend, spec)
            return backend
    raise RuntimeError(f"no backend can run {spec}.\n{explain(spec)}")


def explain(
    spec: Spec | None = None,
    *,
    batch: int | None = None,
    steps: int | None = None,
    gpu: Gpu | str | None = None,
    layers: int = 1,
    directions: int = 1,
) -> str:
    """Return a table of the backends: whether each works here, for ``spec`` if given, and why not.

    With any of batch, steps and gpu it also tells how the native backend runs a layer on a GPU,
    forward and backward, and whether several layers of one direction run as a wavefront.

    Args:
        spec: a call, for example ``LstmSpec("cuda", torch.bfloat16, 1024)``.
        batch: B, 1 if not given.
        steps: T, 128 if not given.
        gpu: one to plan for, which need not be there: its properties or a name of ``GPUS``; the
            current one if not given.
        layers: L.
        directions: D, 1 or 2.

    Raises:
        ValueError: there is no spec to plan for, or an argument is out of range.
        RuntimeError: there is no GPU to plan for, or the extension is not built.
    """
    lines = [f"backends for {spec}:" if spec is not None else "backends:"]
    chosen = False
    for backend in _BACKENDS:
        missing = backend.probe()
        if missing is not None:
            state = f"not available: {missing[0]}; {missing[1]}"
        elif spec is not None and (unsupported := backend.supports(spec)) is not None:
            state = f"does not support it: {unsupported}"
        else:
            state = "works"
            if not chosen and (spec is None or _is_meant_for(backend, spec)):
                state, chosen = "works, chosen automatically", True
        lines.append(f"  {backend.name:<10} {state}")
    if batch is not None or steps is not None or gpu is not None:
        batch, steps = 1 if batch is None else batch, 128 if steps is None else steps
        lines += _plans(spec, batch, steps, gpu, layers, directions)
    return "\n".join(lines)


def _plans(
    spec: Spec | None,
    batch: int,
    steps: int,
    gpu: Gpu | str | None,
    layers: int,
    directions: int,
) -> list[str]:
    if not isinstance(spec, LstmSpec):
        raise ValueError(
            f"explain: arguments batch, steps and gpu need the spec of an LSTM, got {spec}"
        )
    if directions not in (1, 2):
        raise ValueError(f"explain: argument directions must be 1 or 2, got {directions}")
    found = Gpu.present() if gpu is None else gpu
    told = []
    for backward in (False, True):
        planned = plan_on(
            found,
            spec.dtype,
            spec.hidden_size,
            batch=batch,
            steps=steps,
            backward=backward,
            proj_size=spec.proj_size,
            scans=directions,
        )
        told.append(("backward" if backward else "forward", str(planned)))
    for training in (False, True) if layers > 1 and directions == 1 else ():
        way = wavefront_on(
            found,
            spec.dtype,
            spec.hidden_size,
            layers=layers,
            batch=batch,
            steps=steps,
            training=training,
            proj_size=spec.proj_size,
        )
        told.append(("training" if training else "inference", f"{layers} layers {way}"))
    lines = [f"native on {found}, batch={batch}, steps={steps}:"]
    for name, text in told:
        first, *others = text.splitlines()
        lines += [f"  {name:<10} {first}", *(f"  {'':<10} {line}" for line in others)]
    return lines


def _named(name: str) -> Backend:
    for backend in _BACKENDS:
        if backend.name == name:
            return backend
    names = ", ".join(repr(backend.name) for backend in _BACKENDS)
    raise ValueError(f"backend: expected 'auto' or one of {names}, got {name!r}")


def _obstacle(backend: Backend, spec: Spec) -> str | None:
    missing = backend.probe()
    return missing[0] if missing is not None else backend.supports(spec)


def _is_meant_for(backend: Backend, spec: Spec) -> bool:
    return not backend.device_types or spec.device_type in backend.device_types


def _tell_of_fallback(backend: Backend, spec: Spec) -> None:
    """Warn, once for each reason, where faster backends are for such a device, or none at all."""
    better = _BACKENDS[: _BACKENDS.index(backend)]
    meant = [other for other in better if _is_meant_for(other, spec)]
    if backend.device_types and not meant:
        return
    if env.strict():
        raise RuntimeError(
            f"LRCN_FAST_STRICT=1 forbids the fallback to backend {backend.name!r} for {spec}.\n"
            f"{explain(spec)}"
        )
    reason = "; ".join(f"{other.name}: {_obstacle(other, spec)}" for other in meant or better)
    if torch.compiler.is_compiling() or (backend.name, reason) in _warned:
        return
    _warned.add((backend.name, reason))
    warnings.warn(
        f"lrcn_fast falls back to the slower backend {backend.name!r}: {reason}. "
        "LRCN_FAST_STRICT=1 makes this an error, lrcn_fast.use_backend makes it a choice.",
        stacklevel=2,
    )
