"""Cut and altered files: an error of ours or a whole net, never a crash or unbounded memory."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast.caffe import CaffeError, Net, load_net
from tests.caffe.nets import golden_net
from tests.golden.caffe import golden_file
from tests.helpers.tolerance import assert_bitwise_equal
from tests.packaging.run import ROOT, run_python

NAMES = ["lrcn_2u_tiny", "lstm_stacked"]
WEIGHTS = {"lrcn_2u_tiny": "lrcn_2u_tiny", "lstm_stacked": "lstm_stacked_double"}
NUMBERS = ["0", "-1", "1", "7", "2147483647", "4294967295", "9223372036854775807"]


def net_and_weights(name: str) -> tuple[Path, Path]:
    return golden_file(f"{name}.prototxt"), golden_file(f"{WEIGHTS[name]}.caffemodel")


def check_same_parameters(net: Net, other: Net) -> None:
    for (key, mine), (_, expected) in zip(
        net.named_parameters(), other.named_parameters(), strict=True
    ):
        assert_bitwise_equal(mine, expected, key)


@pytest.mark.parametrize("name", NAMES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_weights_are_refused_or_whole(
    name: str, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    prototxt, weights = net_and_weights(name)
    data = weights.read_bytes()
    cut = tmp_path_factory.getbasetemp() / "cut.caffemodel"
    cut.write_bytes(data[: int(share * len(data))])
    try:
        net = load_net(prototxt, cut)
    except CaffeError:
        return
    # Nothing but layers without blobs may be missing.
    check_same_parameters(net, golden_net(name, WEIGHTS[name]))


@st.composite
def alterations(draw: st.DrawFn) -> list[tuple[float, int]]:
    """Places, as shares of the file, and bytes that are written there."""
    place = st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.01))
    return draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=8))


@pytest.mark.parametrize("name", NAMES)
@given(changes=alterations())
def test_altered_weights_are_refused_or_fit(
    name: str, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    prototxt, weights = net_and_weights(name)
    data = bytearray(weights.read_bytes())
    for share, byte in changes:
        data[int(share * len(data))] = byte
    altered = tmp_path_factory.getbasetemp() / "altered.caffemodel"
    altered.write_bytes(data)
    try:
        net = load_net(prototxt, altered)
    except CaffeError:
        return
    shapes = {key: value.shape for key, value in golden_net(name, WEIGHTS[name]).named_parameters()}
    assert {key: value.shape for key, value in net.named_parameters()} == shapes


@pytest.mark.parametrize("name", ["lrcn_activity_tiny", "lrcn_stages_tiny", "caffenet_tiny_v1"])
@given(data=st.data())
def test_altered_nets_are_refused_or_built(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    words = re.findall(r'"[^"]*"|[\w.-]+|\S', golden_file(f"{name}.prototxt").read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        kind = data.draw(st.sampled_from(["number", "drop", "swap", "repeat"]))
        if kind == "number":
            numbers = [at for at, word in enumerate(words) if word.lstrip("-").isdigit()]
            words[data.draw(st.sampled_from(numbers))] = data.draw(st.sampled_from(NUMBERS))
        elif kind == "drop":
            del words[place]
        elif kind == "swap":
            words[place] = data.draw(st.sampled_from(words))
        else:
            words.insert(place, words[place])
    path = tmp_path_factory.getbasetemp() / "altered.prototxt"
    path.write_text(" ".join(words))
    try:
        net = load_net(path, stages=("factored", "2-layer"))
    except CaffeError:
        return
    assert set(net.outputs) <= set(net.blobs)


LIMITED = """
import random, resource, sys
import torch
from lrcn_fast.caffe import CaffeError, load_net
prototxt, weights, folder, seed = sys.argv[1:]
load_net(prototxt, weights)
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 2**28, pages + 2**28))
whole, draw = open(weights, "rb").read(), random.Random(int(seed))
refused = 0
for _ in range(400):
    data = bytearray(whole)
    for _ in range(draw.randint(1, 6)):
        # Many of a file's tags and lengths lie in its first bytes, the values behind them.
        place = draw.randrange(min(len(data), draw.choice([64, 512, len(data)])))
        data[place] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
    del data[draw.choice([len(data), draw.randrange(len(data))]):]
    with open(f"{folder}/altered", "wb") as file:
        file.write(data)
    try:
        load_net(prototxt, f"{folder}/altered")
    except CaffeError:
        refused += 1
print(refused)
"""


@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_within_a_bound(name: str, tmp_path: Path) -> None:
    paths = ", ".join(repr(str(path)) for path in (*net_and_weights(name), tmp_path))
    code = f"import sys; sys.argv[1:] = [{paths}, {str(random.Random(name).randrange(99))!r}]\n"
    shown = run_python(code + LIMITED, cwd=ROOT)
    assert int(shown) > 50


def test_a_net_of_giant_layers_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    text = golden_file("lrcn_activity_tiny.prototxt").read_text()
    path.write_text(text.replace("num_output: 20", "num_output: 60000"))
    with pytest.raises(CaffeError, match="parameters, more than"):
        load_net(path)
