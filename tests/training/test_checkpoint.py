"""Checkpoints survive an interrupted write, and a mismatch is refused."""

import json
from pathlib import Path

import pytest
import torch

from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier
from lrcn_fast.training import load_model, load_state, save_model, save_state, write_json

CONFIG = ActivityConfig.small(3, image_size=(9, 11), fc6=6, hidden_size=5)


class Unpicklable:
    def __reduce__(self) -> str:
        raise RuntimeError("the disk went away")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    with pytest.raises(RuntimeError, match="the disk went away"):
        save_state(path, {"step": 2, "weights": Unpicklable()})
    assert load_state(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_json_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "metrics.json"
    write_json(path, {"accuracy": 0.5})
    with pytest.raises(TypeError):
        write_json(path, {"accuracy": object()})
    assert json.loads(path.read_text()) == {"accuracy": 0.5}


@pytest.mark.parametrize("build", [ActivityRecognizer, FrameClassifier])
def test_a_model_comes_back(tmp_path: Path, build: type[ActivityRecognizer]) -> None:
    model = build(CONFIG)
    save_model(tmp_path, model, labels=["a", "b", "c"])
    loaded, description = load_model(tmp_path)
    frames = torch.randn(4, 2, 3, 9, 11)
    assert type(loaded) is build
    assert not loaded.training
    assert description["labels"] == ["a", "b", "c"]
    assert torch.equal(loaded.predict(frames), model.predict(frames))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path, ActivityRecognizer(CONFIG))
    other = ActivityConfig.small(4, image_size=(9, 11), fc6=6, hidden_size=5)
    save_model(tmp_path / "other", ActivityRecognizer(other))
    (tmp_path / "other" / "model.pt").replace(tmp_path / "model.pt")
    with pytest.raises(RuntimeError, match=r"config\.json disagree"):
        load_model(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"model": "Other", "config": {}}'])
def test_bad_configuration_file(tmp_path: Path, text: str) -> None:
    save_model(tmp_path, ActivityRecognizer(CONFIG))
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RuntimeError, match=r"config\.json: describes no model"):
        load_model(tmp_path)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        load_state(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(RuntimeError, match=r"bad\.pt: cannot be read"):
        load_state(tmp_path / "bad.pt")


def test_other_modules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="model: expected one of"):
        save_model(tmp_path, torch.nn.Linear(2, 2))  # type: ignore[arg-type]
