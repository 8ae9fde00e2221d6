"""Recordings of one step of a search: CUDA graphs, kept with the weights they were made with."""

import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import torch

from lrcn_fast.backends.plan import precision_set
from lrcn_fast.decoding.gate_table import fingerprint
from lrcn_fast.models import Captioner

if TYPE_CHECKING:
    from lrcn_fast.decoding.search import Search

__all__ = ["Call", "Recorder", "keep", "recorder", "setting", "take"]

Call = Callable[[], None]
Recorder = Callable[[Call, torch.device], Call]
"""Takes a call that reads and writes the same tensors each time; returns what repeats it."""

# Each holds memory of its own for a step.
_MOST_KEPT = 8

_kept: "weakref.WeakKeyDictionary[Captioner, tuple[object, dict[Hashable, Search]]]" = (
    weakref.WeakKeyDictionary()
)


def recorder(device: torch.device) -> Recorder | None:
    """What records steps on a device; None on the CPU and within somebody else's capture."""
    if device.type != "cuda" or torch.cuda.is_current_stream_capturing():
        return None
    return _record


def _record(call: Call, device: torch.device) -> Call:
    """Capture a call as a CUDA graph; the call itself is returned where that fails."""
    with torch.cuda.device(device):
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            # Kernels are compiled, and libraries started, before a capture.
            call()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                call()
        except RuntimeError:
            return call
    return graph.replay


def setting(device: torch.device) -> Hashable:
    """What else a recording depends on: the stream, as two may not share tensors, and TF32."""
    if device.type != "cuda":
        return None
    return torch.cuda.current_stream(device).cuda_stream, precision_set()


def take(captioner: Captioner, key: Hashable) -> "Search | None":
    """Take out the search kept for ``key``, so that no other thread runs it meanwhile."""
    weights, searches = _kept.get(captioner, (None, {}))
    return searches.pop(key, None) if weights == _weights(captioner) else None


def keep(captioner: Captioner, key: Hashable, search: "Search") -> None:
    """Keep a search until the captioner's weights change or newer ones need the room."""
    weights = _weights(captioner)
    known = _kept.get(captioner)
    searches = known[1] if known is not None and known[0] == weights else {}
    searches[key] = search
    while len(searches) > _MOST_KEPT:
        del searches[next(iter(searches))]
    _kept[captioner] = (weights, searches)


def _weights(captioner: Captioner) -> object:
    modules = (captioner.embedding, *captioner.layers, captioner.predict)
    return fingerprint(weight for module in modules for weight in module.parameters())
