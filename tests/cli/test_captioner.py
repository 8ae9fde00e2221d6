"""From photos to sentences on the command line, with a tiny net and drawn pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lrcn_fast import training
from lrcn_fast.__main__ import main
from lrcn_fast.cli import train as train_command
from lrcn_fast.models import Captioner, SmallNet
from tests.helpers.tolerance import assert_bitwise_equal

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (20, 40, 230)}
TINY = (
    "--encoder SmallNet --image-size 16 --feature-size 8 --embed-size 32 --hidden-size 32 "
    "--batch 6 --window 6 --min-count 1 --step-size 400 --every 20 --filler 0.3"
).split()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rows = ["image\tcaption\tsplit"]
    for name, colour in COLOURS.items():
        for split in ("train", "test"):
            Image.new("RGB", (24, 20), colour).save(folder / f"{name}_{split}.png")
            rows += [f"{name}_{split}.png\t{text} {name} square.\t{split}" for text in ("A", "The")]
    (folder / "captions.tsv").write_text("\n".join(rows) + "\n")
    return folder


def command(photos: Path, output: Path, *options: str) -> int:
    data = ["--captions", str(photos / "captions.tsv"), "--output", str(output)]
    return main(["train", "captioner", *data, *TINY, *options])


@pytest.fixture(scope="module")
def model(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("model")
    assert command(photos, output, "--steps", "300") == 0
    return output


def test_training_learns_and_writes_its_figures(model: Path) -> None:
    results = json.loads((model / "results.json").read_text())
    for split in ("train", "test"):
        assert results[split]["images"] == 3
        assert results[split]["BLEU-3"] > 0.9
        assert results[split]["retrieval"]["caption_to_image"]["R@1"] == 1.0
        assert results[split]["retrieval"]["image_to_caption"]["R@1"] == 1.0
    log = [json.loads(line) for line in (model / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(20, 301, 20))
    assert log[-1]["loss"] < log[0]["loss"]


def test_caption(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["caption", str(model), str(photos), "--n-best", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 6
    for result in found:
        first, second = result["captions"]
        assert Path(result["image"]).stem.split("_")[0] in first["text"]
        assert first["log_prob"] >= second["log_prob"]
    assert main(["caption", str(model), str(photos / "red_test.png")]) == 0
    assert "red square." in capsys.readouterr().out


def test_retrieve(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sentences.txt").write_text("A green square.\n\nA blue square.\n")
    images = [str(photos / f"{name}_test.png") for name in COLOURS]
    options = ["--sentence", "The red square", "--sentences", str(tmp_path / "sentences.txt")]
    assert main(["retrieve", str(model), *images, *options, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    best = [Path(result["ranking"][0]["image"]).name for result in found["images"]]
    assert best == ["red_test.png", "green_test.png", "blue_test.png"]
    sentences = [result["ranking"][0]["sentence"] for result in found["sentences"]]
    assert sentences == ["The red square", "A green square.", "A blue square."]
    scores = [place["score"] for place in found["images"][0]["ranking"]]
    assert scores == sorted(scores, reverse=True)
    assert main(["retrieve", str(model), images[1], *options, "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == images[1] and lines[1].startswith("  1\t") and len(lines) == 2
    assert main(["retrieve", str(model), *images, "--sentence", "A green square"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A green square" and len(lines) == 1 + len(images)


@pytest.mark.parametrize(
    "options", [[], ["--no-freeze-encoder"], ["--no-freeze-encoder", "--no-augment"]]
)
def test_an_interrupted_run_goes_on(
    photos: Path, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(photos, tmp_path / "whole", "--steps", "50", *options) == 0
    read = train_command.CaptionBatchReader.__call__

    def interrupted(self: train_command.CaptionBatchReader, step: int) -> object:
        if step == 45:
            raise KeyboardInterrupt
        return read(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(train_command.CaptionBatchReader, "__call__", interrupted)
        assert command(photos, tmp_path / "halves", "--steps", "50", *options) == 130
    assert training.load_state(tmp_path / "halves" / "state.pt")["step"] == 40
    assert command(photos, tmp_path / "halves", "--steps", "50", *options) == 0
    expected = Captioner.from_pretrained(tmp_path / "whole")[0].state_dict()
    for name, value in Captioner.from_pretrained(tmp_path / "halves")[0].state_dict().items():
        assert_bitwise_equal(value, expected[name], name)


def test_other_settings_are_refused_unless_begun_anew(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(photos, tmp_path, "--steps", "2") == 0
    assert command(photos, tmp_path, "--steps", "3") == 2
    assert "holds a run with other settings" in capsys.readouterr().err
    assert command(photos, tmp_path, "--steps", "3", "--fresh") == 0


def test_figures_are_of_as_many_images_as_asked_for(photos: Path, tmp_path: Path) -> None:
    assert command(photos, tmp_path, "--steps", "1", "--evaluate", "2") == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert [results[split]["images"] for split in ("train", "test")] == [2, 2]
    assert command(photos, tmp_path, "--steps", "1", "--fresh", "--evaluate", "0") == 0
    assert json.loads((tmp_path / "results.json").read_text()).keys().isdisjoint(("train", "test"))


def test_an_interrupt_before_training_leaves_no_traceback(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train_command, "image_features", interrupted)
    assert command(photos, tmp_path, "--steps", "1") == 130
    assert capsys.readouterr().err.endswith("train: stopped\n")


def test_weights_of_an_encoder_are_loaded_and_frozen(photos: Path, tmp_path: Path) -> None:
    net = SmallNet("fc8", image_size=(16, 16), num_classes=8)
    training.save_state(tmp_path / "net.pt", net.state_dict())
    options = ["--steps", "3", "--encoder-weights", str(tmp_path / "net.pt")]
    assert command(photos, tmp_path / "model", *options) == 0
    captioner, _, _ = Captioner.from_pretrained(tmp_path / "model")
    assert captioner.encoder is not None
    for name, value in captioner.encoder.state_dict().items():
        assert torch.equal(value, net.state_dict()[name]), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "--steps: expected at least 1, got 0"),
        (["--evaluate", "-1"], "--evaluate: expected at least 0, got -1"),
        (["--learning-rate", "-1"], "lr: expected a number of at least 0"),
        (["--encoder-weights", "none.pt"], "none.pt: no such checkpoint"),
        (["--image-size", "1000000", "--features", "fc6"], "error"),
        (["--hidden-size", "0"], "hidden_size: expected an integer of at least 1"),
        (["--learning-rate", "1e38", "--steps", "40"], "expected finite numbers"),
    ],
)
def test_bad_training_options(
    photos: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(photos, tmp_path, "--steps", "2", *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caption", "MODEL", "none.png"], "none.png: no such image file or folder"),
        (["caption", "MODEL", "MODEL"], "no image in this folder"),
        (["caption", "MODEL", "MODEL/config.json"], "cannot be read as an image"),
        (["caption", "PHOTOS", "PHOTOS"], "config.json: no such file"),
        (["caption", "MODEL", "PHOTOS", "--beam-size", "0"], "beam_size: expected"),
        (["retrieve", "MODEL", "PHOTOS"], "expected --sentence TEXT or --sentences FILE"),
        (["retrieve", "MODEL", "PHOTOS", "--sentence", "."], "captions: expected words, got '.'"),
        (["retrieve", "MODEL", "PHOTOS", "--sentences", "none.txt"], "none.txt"),
        (["retrieve", "MODEL", "PHOTOS", "--sentence", "a", "--top", "0"], "--top: expected"),
    ],
)
def test_bad_input(
    model: Path,
    photos: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [x.replace("MODEL", str(model)).replace("PHOTOS", str(photos)) for x in arguments]
    assert main(filled) == 2
    assert message in capsys.readouterr().err
