"""Nets for the tests: the golden ones, and small ones from a few words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.caffe import Net, load_net
from tests.golden.caffe import golden_file

# The arrays of a golden file that are a net's inputs, by the net's names.
INPUTS = {
    "data": "data",
    "cont": "cont",
    "label": "label",
    "cont_sentence": "cont",
    "input_sentence": "input",
    "target_sentence": "target",
    "image_features": "image_features",
}


def golden_net(name: str, weights: str | None = None, **options: Any) -> Net:
    """A golden net with its weights, or those of another file."""
    return load_net(
        golden_file(f"{name}.prototxt"), golden_file(f"{weights or name}.caffemodel"), **options
    )


def golden_inputs(net: Net, golden: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """What the golden outputs were computed from; images and features ask for gradients."""
    found = {}
    for name in net.inputs:
        value = golden[INPUTS[name]].to(dtype)
        found[name] = value.requires_grad_(name in ("data", "image_features"))
    return found


def input_layer(**shapes: Sequence[int]) -> str:
    """An Input layer with a top for each shape."""
    tops = " ".join(f'top: "{name}"' for name in shapes)
    dims = " ".join(
        f"shape {{ {' '.join(f'dim: {dim}' for dim in shape)} }}" for shape in shapes.values()
    )
    return f'layer {{ name: "input" type: "Input" {tops} input_param {{ {dims} }} }}\n'


def layer(kind: str, bottoms: str, tops: str, more: str = "", name: str = "it") -> str:
    """A layer; bottoms and tops are names with blanks between."""
    blobs = [f'bottom: "{word}"' for word in bottoms.split()]
    blobs += [f'top: "{word}"' for word in tops.split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(blobs)} {more} }}\n'


def build(folder: Path, text: str, **options: Any) -> Net:
    """A net from its text."""
    path = folder / "net.prototxt"
    path.write_text(text)
    return load_net(path, **options)
