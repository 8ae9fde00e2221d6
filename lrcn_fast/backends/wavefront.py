"""Whether the layers of an LSTM run one by one on a GPU or as a wavefront, and why.

A wavefront cuts time into windows: a window of one layer runs in the same launch as the window
before it of the next layer. ``csrc/plan`` decides by its modelled times.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch

from lrcn_fast.backends.plan import Gpu, extension, precision_set, request

__all__ = ["Wavefront", "wavefront", "window_here"]


@dataclass(frozen=True)
class Wavefront:
    """How layers of one direction are run.

    Attributes:
        window: steps of a window; 0 for layers one by one.
        one_by_one_us: modelled microseconds of that.
        us: and of the way that was chosen.
        reason: why it was chosen.
    """

    window: int
    one_by_one_us: float
    us: float
    reason: str

    def __str__(self) -> str:
        chosen = f"a wavefront, windows of {self.window} steps" if self.window else "one by one"
        return f"{chosen}: {self.reason}"


def wavefront(
    gpu: Gpu | str,
    dtype: torch.dtype,
    hidden_size: int,
    *,
    layers: int,
    batch: int,
    steps: int,
    training: bool = False,
    proj_size: int = 0,
    precision: str | None = None,
) -> Wavefront:
    """Plan layers of one direction on a GPU, nothing dropped between them.

    Args:
        gpu, dtype, hidden_size, batch, steps, proj_size, precision: as for ``plan``.
        layers: L.
        training: whether a backward follows.

    Raises:
        RuntimeError: the extension is not built; the message says what to do about it.
        ValueError: an argument is out of range, or no such GPU is recorded.
    """
    if layers < 1:
        raise ValueError(f"layers: expected at least 1, got {layers}")
    asked = request(
        gpu,
        dtype,
        hidden_size,
        batch=batch,
        steps=steps,
        proj_size=proj_size,
        precision=precision,
    )
    return Wavefront(**extension().plan_wavefront(*asked, layers, training))


def window_here(
    device: int,
    dtype: torch.dtype,
    hidden_size: int,
    *,
    layers: int,
    batch: int,
    steps: int,
    training: bool,
) -> int:
    """The window of :func:`wavefront` on a GPU of this machine, remembered from call to call."""
    settings = (precision_set(), extension().persistent())
    return _remembered(device, dtype, hidden_size, layers, batch, steps, training, settings)


@lru_cache(maxsize=1024)
def _remembered(
    device: int,
    dtype: torch.dtype,
    hidden_size: int,
    layers: int,
    batch: int,
    steps: int,
    training: bool,
    settings: tuple[str, str],
) -> int:
    return wavefront(
        Gpu.present(device),
        dtype,
        hidden_size,
        layers=layers,
        batch=batch,
        steps=steps,
        training=training,
        precision=settings[0],
    ).window
