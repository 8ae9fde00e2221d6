"""Frames per second of speed_of_play.py's network with our LSTM and with torch.nn.LSTM."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

import lrcn_fast
from lrcn_fast.models import ActivityConfig, ActivityRecognizer

LSTMS = {"lrcn_fast.LSTM": lrcn_fast.LSTM, "torch.nn.LSTM": torch.nn.LSTM}


def _twins(config: ActivityConfig) -> dict[str, ActivityRecognizer]:
    """The same network with the same weights, once for each LSTM."""
    models = {name: ActivityRecognizer(config, lstm=lstm) for name, lstm in LSTMS.items()}
    ours, theirs = models.values()
    theirs.load_state_dict(ours.state_dict())
    return models


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(
    config: ActivityConfig, frames: Tensor, labels: Tensor, repeats: int
) -> dict[str, dict[str, float]]:
    """Median frames per second, the two networks taking turns so that both meet the same machine.

    Args:
        config: the network's sizes.
        frames: (T, B, C, Y, X), one batch.
        labels: (B,).
        repeats: timed runs of each, after one that is not.

    Returns:
        ``{"training" | "inference": {LSTM's name: frames per second}}``.

    Raises:
        RuntimeError: the two networks do not give the same scores; then no speed is reported.
    """
    models = _twins(config)
    with torch.no_grad():
        ours, theirs = (model(frames)[0] for model in models.values())
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4):
        raise RuntimeError(
            f"the networks disagree by {float((ours - theirs).abs().max()):.3g}, nothing was timed"
        )
    optimizers = {name: torch.optim.Adam(model.parameters()) for name, model in models.items()}

    def training(name: str) -> None:
        models[name].loss(models[name](frames)[0], labels).backward()
        optimizers[name].step()
        optimizers[name].zero_grad()

    def inference(name: str) -> None:
        models[name].predict(frames)

    count = frames.shape[0] * frames.shape[1]
    speeds: dict[str, dict[str, float]] = {}
    for mode in (training, inference):
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for repeat in range(repeats + 1):
            for name in models:
                taken = _seconds(lambda mode=mode, name=name: mode(name))
                if repeat > 0:
                    seconds[name].append(taken)
        speeds[mode.__name__] = {
            name: count / statistics.median(values) for name, values in seconds.items()
        }
    return speeds
