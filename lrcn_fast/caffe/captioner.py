"""Captioners of Caffe's files as a :class:`lrcn_fast.models.Captioner`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lrcn_fast._files import StrPath
from lrcn_fast.caffe.definition import layers_of
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.reader import read_net, read_weights
from lrcn_fast.caffe.weights import copy_weights
from lrcn_fast.models import Captioner
from lrcn_fast.models.captioner_config import IMAGE_LAYERS

__all__ = ["load_captioner"]

# Of an LSTM that sees the image; the first is the words' or the layer's below, the second cont's.
_BOTTOMS_WITH_IMAGE = 3


def load_captioner(
    prototxt: StrPath,
    caffemodel: StrPath,
    *,
    stages: Sequence[str] = (),
    encoder: nn.Module | None = None,
) -> Captioner:
    """Make a captioner of a net and its weights: variant and sizes are those of the files.

    Args:
        prototxt: the net: an Embed layer, LSTMs one after the other, and an InnerProduct.
        caffemodel: its weights.
        stages: which of the layers of a file for several nets are meant, such as
            ``["factored", "2-layer"]``.
        encoder: makes features of pixels, such as a CaffeNet; its weights are loaded too.

    Returns:
        The captioner, float64 where the weights are, else float32, in evaluation mode.

    Raises:
        FileNotFoundError: a file is not there.
        ImportError: protobuf is not installed.
        CaffeError: a file is damaged, the net is no captioner, or the weights do not fit.
    """
    layers = layers_of(read_net(prototxt), "test", 0, stages)
    lstms = [layer for layer in layers if layer.type == "LSTM"]
    if not lstms:
        raise CaffeError(f"{prototxt}: expected a captioner, the net has no LSTM")
    embedding = _only(prototxt, layers, "Embed", lstms[0].bottom[0])
    names = {embedding.name: "embedding"}
    for index, layer in enumerate(lstms):
        below = lstms[index - 1].top[0] if index else embedding.top[0]
        if layer.bottom[0] != below:
            raise CaffeError(
                f"{prototxt}: LSTM {layer.name!r} reads {layer.bottom[0]!r}, expected {below!r}"
            )
        names[layer.name] = f"lstm{index + 1}"
    readers = [layer for layer in layers if lstms[-1].top[0] in layer.bottom]
    predict = _only(prototxt, readers, "InnerProduct")
    names[predict.name] = "predict"

    seeing = [k for k, layer in enumerate(lstms) if len(layer.bottom) == _BOTTOMS_WITH_IMAGE]
    form = (len(lstms), seeing[0] if len(seeing) == 1 else None)
    variants = [name for name, known in IMAGE_LAYERS.items() if known == form]
    if not variants or len(seeing) > 1:
        raise CaffeError(
            f"{prototxt}: expected the LSTMs of one of {', '.join(IMAGE_LAYERS)}, got "
            f"{len(lstms)}, of which {[lstms[k].name for k in seeing]} see an image"
        )
    blobs = read_weights(caffemodel)
    image_size = 1
    if seeing:
        name = lstms[seeing[0]].name
        if len(blobs.get(name, ())) != 4:
            raise CaffeError(
                f"{caffemodel}: layer {name!r}: expected 4 blobs, the file has "
                f"{len(blobs.get(name, ()))}"
            )
        image_size = blobs[name][2].values.shape[-1]
    captioner = Captioner(
        predict.inner_product_param.num_output,
        variants[0],
        embedding.embed_param.num_output,
        lstms[0].recurrent_param.num_output,
        image_size,
        encoder=encoder,
    )
    if {blob.values.dtype for name in names for blob in blobs.get(name, ())} == {torch.float64}:
        captioner.double()
    copy_weights(captioner, blobs, str(caffemodel), names, strict=True)
    if encoder is not None:
        copy_weights(encoder, blobs, str(caffemodel), None, strict=True)
    return captioner.eval()


def _only(prototxt: StrPath, layers: Sequence[Any], kind: str, top: str | None = None) -> Any:
    """The one layer of a kind, and with ``top`` the one that makes it."""
    found = [layer for layer in layers if layer.type == kind and (top is None or top in layer.top)]
    if len(found) == 1:
        return found[0]
    raise CaffeError(
        f"{prototxt}: expected a captioner with one {kind} layer beside its LSTMs, "
        f"got {[layer.name for layer in found]}; stages choose among nets of one file"
    )
