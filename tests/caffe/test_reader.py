"""Files of weights, nets and means: what is read, and what is refused and how."""

from pathlib import Path

import numpy
import pytest
import torch

from lrcn_fast.caffe import CaffeError, read_mean
from lrcn_fast.caffe.messages import net_messages, protobuf
from lrcn_fast.caffe.reader import read_net, read_weights
from tests.caffe.wire import blob, caffemodel, field, floats, legacy_blob, number
from tests.golden.caffe import golden_file
from tests.helpers.tolerance import assert_bitwise_equal
from tests.packaging.run import ROOT, run_python


def write(folder: Path, data: bytes, name: str = "net.caffemodel") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["lstm_stacked_double", "lrcn_1u_tiny"])
def test_text_and_binary_weights_are_the_same(name: str, tmp_path: Path) -> None:
    binary = golden_file(f"{name}.caffemodel")
    net = net_messages()["NetParameter"].FromString(binary.read_bytes())
    text = write(tmp_path, protobuf().text.MessageToString(net).encode())
    ours, theirs = read_weights(text), read_weights(binary)
    assert list(ours) == list(theirs) != []
    for layer, blobs in theirs.items():
        for index, (one, other) in enumerate(zip(ours[layer], blobs, strict=True)):
            assert_bitwise_equal(one.values, other.values, f"{layer} {index}")


def test_binary_and_text_nets_are_the_same(tmp_path: Path) -> None:
    text = golden_file("caffenet_tiny_v1.prototxt")
    net = read_net(text)
    assert read_net(write(tmp_path, net.SerializeToString())) == net
    assert len(net.layers) == 23


def test_the_old_shape_of_four_axes(tmp_path: Path) -> None:
    path = write(tmp_path, caffemodel([legacy_blob([1, 1, 2, 3], floats(range(6)))]))
    (read,) = read_weights(path)["it"]
    assert read.legacy and read.values.shape == (1, 1, 2, 3)
    assert read.fitted((2, 3), "it").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(
        CaffeError, match=r"it: expected shape \(3, 2\), the file has \(1, 1, 2, 3\)"
    ):
        read.fitted((3, 2), "it")


def test_values_in_several_pieces_and_what_forks_have_added(tmp_path: Path) -> None:
    pieces = field(7, field(1, bytes([3]))) + field(5, floats([1, 2])) + field(5, floats([3]))
    # Field 137 is an Embed layer's in one Caffe and something else in another.
    layer = field(1, b"it") + field(7, pieces) + field(137, b"\xff\xff\xff") + number(200, 7)
    (read,) = read_weights(write(tmp_path, field(100, layer)))["it"]
    assert read.values.tolist() == [1, 2, 3]


BIG = 2**40
DAMAGED = {
    "a length past the end": (field(100, field(1, b"it"), length=2**31 - 1), "damaged"),
    "a length of 2^60": (field(100, field(1, b"it"), length=2**60), "damaged"),
    "a cut varint": (b"\x0a\x02it\xa2", "damaged"),
    "groups in groups": (b"\x13" * 100_000, "damaged"),
    "fewer values than the shape": (caffemodel([blob([2, 3], floats([1]))]), "wants 6 values"),
    "a shape that overflows": (caffemodel([blob([BIG, BIG], floats([1]))]), "holds 1"),
    "a shape whose product is 0 mod 2^64": (caffemodel([blob([2**32, 2**32], b"")]), "holds 0"),
    "a negative size": (caffemodel([blob([-1, -1], floats([1]))]), "none of them negative"),
    "33 axes": (caffemodel([blob([1] * 33, floats([1]))]), "at most 32 axes"),
    "old sizes": (caffemodel([legacy_blob([BIG, 1, 1, 1], floats([1]))]), "values|negative"),
    "half a value": (caffemodel([blob([1], b"\0\0\0\0\0")]), "no whole number"),
    "half a double": (caffemodel([blob([1], b"\0\0\0\0", at=8)]), "no whole number"),
    "no UTF-8": (caffemodel([blob([1], floats([1]))], name=b"\xff\xfe"), "UTF-8|damaged"),
    "two layers of a name": (caffemodel([blob([1], floats([1]))]) * 2, "two layers named 'it'"),
    "nothing": (b"", "empty"),
    "no blobs": (field(100, field(1, b"it")), "no layer has blobs"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_weights(case: str, tmp_path: Path) -> None:
    data, message = DAMAGED[case]
    path = write(tmp_path, data)
    with pytest.raises(CaffeError, match=message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name: "n"\nlayer {\n  tipe: "ReLU"\n}', r"net.prototxt:3:3 .*no field named \"tipe\""),
        ("layer {\n  convolution_param {\n    kernel: 3", r":3:5 .*no field named \"kernel\""),
        ("layer {", r":1:7 .*Expected"),
        ('layer { name: "a" name: "b" }', r':1:25 .*multiple "name"'),
        ("input_dim: 99999999999999999999", r":1:12 .*out of range"),
        ("layer { pooling_param { pool: MIN } }", r":1:31 .*no value named MIN"),
        ("layer {" * 10_000, r':1:8 .*no field named "layer"'),
        ("\xe9".encode("latin-1").decode("latin-1"), "Expected|no field"),
    ],
)
def test_damaged_text_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text.encode(), "net.prototxt")
    with pytest.raises(CaffeError, match=message):
        read_net(path)


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match="not UTF-8"):
        read_net(write(tmp_path, b'name: "\xff"', "net.prototxt"))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for call in (read_net, read_weights, read_mean):
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(FileNotFoundError, match=str(path)):
                call(path)


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 4, 5)])
def test_mean(shape: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    image = numpy.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
    numpy.save(tmp_path / "mean.npy", image)
    file = numpy.dtype(dtype).newbyteorder("<")
    data = blob(shape, image.astype(file).tobytes(), 8 if dtype == numpy.float64 else 5)
    expected = torch.from_numpy(image).view(3, 4, 5)
    for path in (tmp_path / "mean.npy", write(tmp_path, data, "mean.binaryproto")):
        assert_bitwise_equal(read_mean(path), expected, path.suffix)


def test_mean_of_the_old_form(tmp_path: Path) -> None:
    path = write(tmp_path, legacy_blob([1, 3, 1, 2], floats(range(6))), "mean.binaryproto")
    assert read_mean(path).tolist() == [[[0, 1]], [[2, 3]], [[4, 5]]]


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999, 99999)}"), "damaged"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -1, 2)}"), "damaged"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\n."), "damaged"),
        (npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1, 1)}", b"0000"), "int32"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"0000"), r"\(C, Y, X\)"),
        (npy("__import__('os')"), "damaged"),
        (blob([2, 3], floats(range(6))), r"expected one image \(C, Y, X\)"),
        (blob([2, 3, 1, 1], floats(range(6))), r"expected one image \(C, Y, X\)"),
    ],
)
def test_damaged_mean(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message):
        read_mean(write(tmp_path, data, "mean"))


def test_protobuf_is_looked_for_when_a_file_is_read() -> None:
    net = golden_file("lstm_stacked.prototxt")
    code = f"""
import sys
for name in ("google", "google.protobuf"):
    sys.modules[name] = None
from lrcn_fast.caffe.reader import read_net
try:
    read_net({str(net)!r})
except ImportError as error:
    print(error)
"""
    shown = run_python(code, cwd=ROOT)
    assert 'pip install "lrcn-fast[caffe]"' in shown
    assert "protobuf" in shown
