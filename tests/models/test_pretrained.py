"""A captioner's directory comes back as it was, and parts of different ones are refused."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lrcn_fast.models import Captioner, Preprocessing, SmallNet, Vocabulary, VocabularyError
from lrcn_fast.nn import VGG16, CaffeNet, HybridNet
from lrcn_fast.nn.conv_net import ConvNet

WORDS = Vocabulary(["<unk>", "a", "dog", "cat"])
PREPROCESSING = Preprocessing(16, (1.0, 2.0, 3.5))


def build(hidden_size: int = 4) -> Captioner:
    encoder = SmallNet("fc8", image_size=(16, 16), fc6=5, fc7=6, num_classes=7)
    return Captioner(len(WORDS), "2f", 3, hidden_size, 7, encoder=encoder)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    model = build().to(dtype).eval()
    model.save_pretrained(tmp_path, WORDS, PREPROCESSING)
    loaded, vocabulary, preprocessing = Captioner.from_pretrained(tmp_path)
    words, image = torch.tensor([[0, 0], [1, 3]]), torch.randn(2, 3, 16, 16, dtype=dtype)
    assert torch.equal(loaded(words, None, image), model(words, None, image))
    assert not loaded.training
    assert (vocabulary, preprocessing) == (WORDS, PREPROCESSING)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["config.json", "model.safetensors", "vocabulary.txt"]


def test_without_an_encoder(tmp_path: Path) -> None:
    Captioner(len(WORDS), "lm", 3, 4).save_pretrained(tmp_path, WORDS)
    loaded, _, preprocessing = Captioner.from_pretrained(tmp_path)
    assert loaded.encoder is None and preprocessing is None


@pytest.mark.parametrize("net", [CaffeNet, HybridNet, VGG16, SmallNet])
def test_options_make_a_net_of_the_same_sizes(net: type[ConvNet]) -> None:
    made = net("fc7", width=0.05, fc7=3, image_size=(67, 71))
    again = net("fc7", **json.loads(json.dumps(made.options)))
    shapes = {name: value.shape for name, value in made.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    build().save_pretrained(tmp_path, WORDS, PREPROCESSING)
    other = Vocabulary(["<unk>", "a", "cat", "dog"])
    other.save(tmp_path / "vocabulary.txt")
    with pytest.raises(VocabularyError, match=r"config\.json: trained with the vocabulary"):
        Captioner.from_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocabulary": other.fingerprint}))
    with pytest.raises(VocabularyError, match=r"model\.safetensors: trained with the vocabulary"):
        Captioner.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="vocabulary: expected V = 5, got 2"):
        build().save_pretrained(tmp_path, Vocabulary(["<unk>"]))


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    build(5).save_pretrained(tmp_path / "other", WORDS, PREPROCESSING)
    build(4).save_pretrained(tmp_path, WORDS, PREPROCESSING)
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=r"config\.json disagree"):
        Captioner.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "FrameClassifier"},
        {"config": {"vocabulary_size": 9}},
        {"config": {"vocabulary": 5}},
        {"encoder": {"net": "Other"}},
        {"preprocessing": {"size": 0, "mean": [1.0, 2.0, 3.0]}},
        {"preprocessing": 3},
    ],
)
def test_a_bad_configuration_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    build().save_pretrained(tmp_path, WORDS, PREPROCESSING)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(RuntimeError, match=r"config\.json: describes no captioner"):
        Captioner.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt"])
def test_missing_and_damaged_files(tmp_path: Path, name: str) -> None:
    build().save_pretrained(tmp_path, WORDS, PREPROCESSING)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(RuntimeError, match=name):
        Captioner.from_pretrained(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Captioner.from_pretrained(tmp_path)


def test_safetensors_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pip install lrcn_fast\[captions\]"):
        build().save_pretrained(tmp_path, WORDS)


def test_other_encoders_are_refused(tmp_path: Path) -> None:
    model = Captioner(len(WORDS), image_size=2, encoder=nn.Flatten())
    with pytest.raises(TypeError, match="encoder: expected one of"):
        model.save_pretrained(tmp_path, WORDS)
