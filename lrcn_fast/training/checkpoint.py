"""Checkpoints of models and of training, each file whole or not there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lrcn_fast._files import StrPath, write_json, write_whole
from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier

__all__ = ["load_model", "load_state", "save_model", "save_state", "write_json"]

CONFIG, WEIGHTS = "config.json", "model.pt"
MODELS: dict[str, Callable[[ActivityConfig], ActivityRecognizer | FrameClassifier]] = {
    "ActivityRecognizer": ActivityRecognizer,
    "FrameClassifier": FrameClassifier,
}


def save_state(path: StrPath, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings, lists and dicts; an interrupted write leaves the old file.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_whole(path, lambda file: torch.save(state, file))


def load_state(path: StrPath) -> dict[str, Any]:
    """Read what :func:`save_state` wrote, to the CPU; runs no code from the file.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: it is no such checkpoint.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RuntimeError(f"{path}: cannot be read as a checkpoint: {error}") from error
    if not isinstance(state, dict):
        raise RuntimeError(f"{path}: expected a dict, got {type(state).__name__}")
    return state


def save_model(
    directory: StrPath, model: ActivityRecognizer | FrameClassifier, **extra: Any
) -> None:
    """Write a model's configuration and weights into one directory.

    Args:
        directory: made if missing; gets ``config.json`` and ``model.pt``.
        model: the network.
        extra: what else belongs to the weights (labels, preprocessing), JSON values only.
    """
    if type(model).__name__ not in MODELS:
        raise TypeError(f"model: expected one of {sorted(MODELS)}, got {type(model).__name__}")
    folder = Path(directory)
    save_state(folder / WEIGHTS, model.state_dict())
    description = {"model": type(model).__name__, "config": model.config.to_dict(), **extra}
    write_json(folder / CONFIG, description)


def load_model(
    directory: StrPath,
) -> tuple[ActivityRecognizer | FrameClassifier, dict[str, Any]]:
    """Read what :func:`save_model` wrote.

    Returns:
        The model in evaluation mode and the whole of ``config.json``.

    Raises:
        FileNotFoundError: a file is missing.
        RuntimeError: ``config.json`` makes no sense, or the weights do not belong to it.
    """
    folder = Path(directory)
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder / CONFIG}: no such file")
    try:
        description = json.loads((folder / CONFIG).read_text())
        model = MODELS[description["model"]](ActivityConfig.from_dict(description["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RuntimeError(f"{folder / CONFIG}: describes no model: {error!r}") from error
    try:
        model.load_state_dict(load_state(folder / WEIGHTS))
    except RuntimeError as error:
        raise RuntimeError(f"{folder}: weights and config.json disagree: {error}") from error
    return model.eval(), description
