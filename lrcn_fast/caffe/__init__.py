"""Nets and weights of the original Caffe: read, run, trained and written.

Needs protobuf, ``pip install "lrcn-fast[caffe]"``, which is looked for when a file is read.
"""

from collections.abc import Mapping, Sequence

import torch

from lrcn_fast._files import StrPath
from lrcn_fast.caffe.builder import build_net
from lrcn_fast.caffe.captioner import load_captioner
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.net import Net
from lrcn_fast.caffe.reader import read_mean, read_weights
from lrcn_fast.caffe.weights import LoadReport, copy_weights, export_caffemodel, load_weights

__all__ = [
    "CaffeError",
    "LoadReport",
    "Net",
    "export_caffemodel",
    "load_captioner",
    "load_net",
    "load_weights",
    "read_mean",
]


def load_net(
    prototxt: StrPath,
    caffemodel: StrPath | None = None,
    *,
    phase: str = "test",
    level: int = 0,
    stages: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Net:
    """Build a net from Caffe's files.

    Args:
        prototxt: the net, text or binary, of old layers (``layers``) or new ones (``layer``).
        caffemodel: its weights; None begins as the net's fillers say. The net is float64 where
            these are, else float32.
        phase: ``"train"`` or ``"test"``: which layers are included, and whether dropout acts, until
            ``train()`` or ``eval()`` says otherwise.
        level: the level of the include and exclude rules.
        stages: their stages.
        input_shapes: shapes of the tops of data layers, of which the file does not say any.

    Returns:
        The net, on the CPU.

    Raises:
        FileNotFoundError: a file is not there.
        ImportError: protobuf is not installed.
        CaffeError: a file is damaged, a field or layer is not known, or the weights do not fit.
    """
    net = build_net(prototxt, phase, level, stages, input_shapes or {})
    if caffemodel is not None:
        blobs = read_weights(caffemodel)
        stored = {blob.values.dtype for layer in blobs.values() for blob in layer}
        if stored == {torch.float64}:
            net.double()
        copy_weights(net, blobs, str(caffemodel), None, strict=True)
    return net
