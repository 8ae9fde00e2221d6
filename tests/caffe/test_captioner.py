"""Captioners of Caffe's files: which net a file holds, and what is refused."""

import re
from pathlib import Path

import pytest
import torch

from lrcn_fast.caffe import CaffeError, export_caffemodel, load_weights
from lrcn_fast.models import Captioner
from tests.golden.caffe import golden_file


@pytest.mark.parametrize(
    ("variant", "stages"),
    [
        ("1u", ["unfactored", "1-layer"]),
        ("2u", ["unfactored", "2-layer"]),
        ("2f", ["factored", "2-layer"]),
    ],
)
def test_stages_choose_the_net(variant: str, stages: list[str]) -> None:
    weights = golden_file(f"lrcn_{variant}_tiny.caffemodel")
    model = Captioner.from_caffe(golden_file("lrcn_stages_tiny.prototxt"), weights, stages=stages)
    alone = Captioner.from_caffe(golden_file(f"lrcn_{variant}_tiny.prototxt"), weights)
    assert model.config == alone.config and model.config.variant == variant
    assert not model.training
    for ours, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("variant", ["1u", "2u", "2f", "4f", "lm"])
def test_there_and_back(variant: str, tmp_path: Path) -> None:
    """Every variant goes into a .caffemodel, and its weights come back by name."""
    model = Captioner(7, variant, 3, 4, 5)
    export_caffemodel(model, tmp_path / "model.caffemodel")
    other = Captioner(7, variant, 3, 4, 5)
    load_weights(other, tmp_path / "model.caffemodel")
    for ours, theirs in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def changed(path: Path, name: str, pattern: str, by: str) -> Path:
    text = golden_file(name).read_text()
    result, count = re.subn(pattern, by, text, flags=re.DOTALL)
    assert count
    path.write_text(result)
    return path


@pytest.mark.parametrize(
    ("pattern", "by", "message"),
    [
        ('"LSTM"', '"RNN"', "the net has no LSTM"),
        ('"Embed"', '"ReLU"', r"one Embed layer beside its LSTMs, got \[\]"),
        ('bottom: "lstm2"', 'bottom: "lstm1"', r"one InnerProduct layer .* got \[\]"),
        ('bottom: "lstm1"', 'bottom: "image_features"', "LSTM 'lstm2' reads 'image_features'"),
        (
            '(name: "lstm1".*?bottom: "cont_sentence")',
            r'\1 bottom: "image_features"',
            r"got 2, of which \['lstm1', 'lstm2'\] see an image",
        ),
        ("num_output: 16", "num_output: 17", "layer 'lstm1', blob 0: expected shape"),
    ],
)
def test_what_is_no_captioner(tmp_path: Path, pattern: str, by: str, message: str) -> None:
    net = changed(tmp_path / "net.prototxt", "lrcn_2f_tiny.deploy.prototxt", pattern, by)
    with pytest.raises(CaffeError, match=message):
        Captioner.from_caffe(net, golden_file("lrcn_2f_tiny.caffemodel"))


def test_weights_of_another_net() -> None:
    with pytest.raises(CaffeError, match="layer 'lstm2': expected 4 blobs, the file has 3"):
        Captioner.from_caffe(
            golden_file("lrcn_2f_tiny.prototxt"), golden_file("lrcn_2u_tiny.caffemodel")
        )
