"""Caffe's layers, by type."""

from lrcn_fast.caffe.layers.base import Layer, Shape
from lrcn_fast.caffe.layers.dense import Dropout, Embed, InnerProduct, ReLU, Sigmoid, TanH
from lrcn_fast.caffe.layers.inputs import INPUT_TYPES, input_shapes
from lrcn_fast.caffe.layers.losses import Accuracy, Softmax, SoftmaxWithLoss
from lrcn_fast.caffe.layers.recurrent import LSTM, RNN, Recurrent
from lrcn_fast.caffe.layers.shapes import Concat, Eltwise, Flatten, Reshape, Slice, Split
from lrcn_fast.caffe.layers.vision import LRN, Convolution, Pooling

__all__ = [
    "INPUT_TYPES",
    "LAYERS",
    "LRN",
    "Layer",
    "Pooling",
    "ReLU",
    "Recurrent",
    "Shape",
    "input_shapes",
]

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Accuracy, Concat, Convolution, Dropout, Eltwise, Embed, Flatten, InnerProduct, LRN, LSTM,
        Pooling, RNN, ReLU, Reshape, Sigmoid, Slice, Softmax, SoftmaxWithLoss, Split, TanH,
    )
}  # fmt: skip
