"""A plain training loop that can be interrupted at any time and resumed to the same result."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lrcn_fast._files import StrPath
from lrcn_fast.models import ActivityRecognizer, FrameClassifier, clip_probabilities
from lrcn_fast.training.checkpoint import load_state, save_state

__all__ = ["Objective", "TrainingConfig", "activity_objective", "train", "warmup_cosine"]

Record = dict[str, Any]
Batches = Callable[[int], Any]
"""Step number to what the objective takes, for an activity model frames (T, B, C, Y, X) and labels
(B,). The same step gives the same batch."""
Objective = Callable[[Any], tuple[Tensor, dict[str, Tensor]]]
"""A batch to what is minimised, and to what is recorded: names and scalars."""


class Progress(Protocol):
    """What the loop asks of a progress bar; tqdm is one."""

    def update(self, n: int = 1) -> Any: ...
    def set_postfix_str(self, s: str) -> Any: ...


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: optimiser steps.
        learning_rate: at the top of its schedule.
        warmup: steps of linear rise before the cosine fall, without a schedule of its own.
        clip_norm: gradients are scaled down to this L2 norm over all parameters.
        every: steps between two records, each followed by a checkpoint.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 50
    clip_norm: float = 5.0
    every: int = 50


def warmup_cosine(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate at ``step``: linear rise, then half a cosine down to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def train(
    model: nn.Module,
    batches: Batches,
    config: TrainingConfig,
    *,
    objective: Objective | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    name: str = "",
    checkpoint: StrPath | None = None,
    log: StrPath | None = None,
    evaluate: Callable[[], Record] | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Train ``model`` in place, by default with Adam on an activity model's per-step loss.

    A run that finds its checkpoint goes on from there, and ends with the weights that an
    uninterrupted run would have had, as long as ``batches`` depends on the step alone and the
    dropout is zero or drawn from a seed that ``batches`` sets.

    Args:
        model: the network; on return it is in evaluation mode.
        batches: gives the batch of a step.
        config: how to train.
        objective: makes the loss of a batch; :func:`activity_objective` by default.
        optimizer: of the model's parameters; Adam by default.
        schedule: step number to factor on the learning rate; :func:`warmup_cosine` by default.
        name: the run's name in the log.
        checkpoint: file to resume from and to write.
        log: JSON lines, one record a line, appended to. A line written after the last
            checkpoint of an interrupted run comes a second time.
        evaluate: called without gradients at every record; its values are added to the record.
        progress: a progress bar over ``config.steps``.

    Returns:
        The records: run, step, what the objective records (means since the record before), seconds.

    Raises:
        TypeError: there is no objective, and the model is no activity model.
        FloatingPointError: the loss is no longer finite; the checkpoint is the last that was.
    """
    objective = activity_objective(model) if objective is None else objective
    if optimizer is None:
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    if schedule is None:
        schedule = partial(warmup_cosine, steps=config.steps, warmup=config.warmup)
    history: list[Record] = []
    first, seconds = 0, 0.0
    if checkpoint is not None and Path(checkpoint).is_file():
        state = load_state(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, seconds, history = state["step"], state["seconds"], state["history"]
        if progress is not None:
            progress.update(first)
    started = time.perf_counter() - seconds
    values: list[dict[str, Tensor]] = []
    model.train()
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step)
        loss, recorded = objective(batches(step))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        values.append({key: value.detach() for key, value in recorded.items()})
        done = step + 1
        if done % config.every == 0 or done == config.steps:
            means = {
                key: float(torch.stack([value[key] for value in values]).mean())
                for key in values[0]
            }
            if not all(math.isfinite(mean) for mean in means.values()):
                raise FloatingPointError(f"steps to {done}: expected finite numbers, got {means}")
            seconds = time.perf_counter() - started
            record: Record = {"run": name, "step": done, **means, "seconds": seconds}
            values = []
            if evaluate is not None:
                model.eval()
                with torch.no_grad():
                    record.update(evaluate())
                model.train()
            history.append(record)
            _record(record, log)
            if checkpoint is not None:
                save_state(
                    checkpoint,
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "step": done,
                        "seconds": record["seconds"],
                        "history": history,
                    },
                )
            if progress is not None:
                progress.set_postfix_str(
                    " ".join(f"{key} {mean:.3f}" for key, mean in means.items())
                )
        if progress is not None:
            progress.update(1)
    model.eval()
    return history


def activity_objective(model: nn.Module) -> Objective:
    """Loss and accuracy of an activity model on frames (T, B, C, Y, X) and labels (B,).

    Raises:
        TypeError: it is another model.
    """
    if not isinstance(model, ActivityRecognizer | FrameClassifier):
        raise TypeError(f"model: expected an activity model, got {type(model).__name__}")

    def objective(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        frames, labels = batch
        output = model(frames)
        scores: Tensor = output[0] if isinstance(output, tuple) else output
        loss = model.loss(scores, labels)
        hits = clip_probabilities(scores.detach()).argmax(-1) == labels
        return loss, {"loss": loss, "accuracy": hits.float().mean()}

    return objective


def _record(record: Record, log: StrPath | None) -> None:
    if log is None:
        return
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        file.write(json.dumps(record) + "\n")
