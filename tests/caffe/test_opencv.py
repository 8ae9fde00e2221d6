"""OpenCV's importer of Caffe's nets, as an oracle of its own: our file in, the same blobs out."""

from pathlib import Path

import cv2
import pytest
import torch

from lrcn_fast.caffe import Net, export_caffemodel, load_net
from tests.caffe.nets import build, input_layer, layer
from tests.golden.caffe import golden_file
from tests.helpers.tolerance import CAFFE_FLOAT, assert_close_to_largest

BLOBS = {
    "caffenet_tiny": ["pool1", "norm1", "pool2", "norm2", "pool5", "fc8", "prob"],
    "caffenet_tiny_v1": ["norm1", "pool5", "fc8", "prob"],
    "hyb2_tiny": ["norm1", "norm2", "pool5", "fc8-ucf", "prob"],
}


def check(net: Net, prototxt: Path, blobs: list[str], x: torch.Tensor, folder: Path) -> None:
    """Run our net and OpenCV's reading of its file; blobs and layers have the same names."""
    weights = folder / "net.caffemodel"
    export_caffemodel(net, weights)
    theirs = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    theirs.setInput(x.numpy())
    ours = net({net.inputs[0]: x}, blobs)
    for name, expected in zip(blobs, theirs.forward(blobs), strict=True):
        expected = torch.from_numpy(expected)
        assert_close_to_largest(ours[name].view_as(expected), expected, name, CAFFE_FLOAT)


@torch.no_grad()
@pytest.mark.parametrize("name", BLOBS)
def test_whole_nets(name: str, tmp_path: Path) -> None:
    prototxt = golden_file(f"{name}.prototxt")
    net = load_net(prototxt)
    height, width = (69, 85) if name == "hyb2_tiny" else (71, 87)
    x = torch.randint(-128, 128, (2, 3, height, width)).float()
    check(net, prototxt, BLOBS[name], x, tmp_path)


@torch.no_grad()
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
        ("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 }"),
        ("Pooling", "pooling_param { pool: AVE global_pooling: true }"),
        ("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"),
        # OpenCV does not read k.
        ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.5 }"),
        ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 2 dilation: 2 "
                        'pad: 2 weight_filler { type: "xavier" } }'),
        ("InnerProduct", 'inner_product_param { num_output: 5 weight_filler { type: "xavier" } }'),
        ("ReLU", "relu_param { negative_slope: 0.1 }"),
        ("Sigmoid", ""),
        ("TanH", ""),
        ("Softmax", ""),
    ],
)  # fmt: skip
def test_layers(kind: str, more: str, tmp_path: Path) -> None:
    x = torch.randn(2, 4, 10, 13)
    product = 'inner_product_param { num_output: 3 weight_filler { type: "xavier" } }'
    text = input_layer(x=x.shape) + layer(kind, "x", "it", more)
    # OpenCV wants weights in a file of weights.
    text += layer("InnerProduct", "it", "last", product, "last")
    net = build(tmp_path, text)
    check(net, tmp_path / "net.prototxt", ["it", "last"], x, tmp_path)
