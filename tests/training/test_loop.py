"""Training learns, logs, and goes on after an interruption as if there had been none."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn_fast.models import ActivityConfig, ActivityRecognizer
from lrcn_fast.training import CaffeSGD, TrainingConfig, load_state, train, warmup_cosine
from tests.helpers.tolerance import assert_bitwise_equal

MODEL = ActivityConfig.small(2, image_size=(9, 9), in_channels=1, fc6=8, hidden_size=8)
TRAINING = TrainingConfig(steps=12, learning_rate=1e-2, warmup=2, every=4)


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Bright clips and dark ones."""
    random = torch.Generator().manual_seed(step)
    labels = torch.arange(8) % 2
    noise = torch.randn(3, 8, 1, 9, 9, generator=random)
    return noise + 2.0 * (labels.view(1, 8, 1, 1, 1) - 0.5), labels


def fresh() -> ActivityRecognizer:
    torch.manual_seed(3)
    return ActivityRecognizer(MODEL)


def test_it_learns() -> None:
    model = fresh()
    history = train(model, batch, TrainingConfig(steps=40, learning_rate=1e-2, warmup=2))
    frames, labels = batch(1000)
    assert torch.equal(model.predict(frames).argmax(-1), labels)
    assert not model.training
    assert [record["step"] for record in history] == [40]


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = fresh()
    expected = train(whole, batch, TRAINING)

    def interrupted(step: int) -> tuple[Tensor, Tensor]:
        if step == 7:
            raise KeyboardInterrupt
        return batch(step)

    checkpoint, log = tmp_path / "state.pt", tmp_path / "log.jsonl"
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), interrupted, TRAINING, checkpoint=checkpoint, log=log)
    resumed = fresh()
    history = train(resumed, batch, TRAINING, name="resumed", checkpoint=checkpoint, log=log)
    for (name, actual), (_, wanted) in zip(
        resumed.named_parameters(), whole.named_parameters(), strict=True
    ):
        assert_bitwise_equal(actual, wanted, name)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert [line["run"] for line in lines] == ["", "resumed", "resumed"]
    assert [record["loss"] for record in history] == [record["loss"] for record in expected]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    history = train(fresh(), batch, TRAINING, checkpoint=checkpoint)

    def never(step: int) -> tuple[Tensor, Tensor]:
        raise AssertionError(f"step {step} was trained again")

    assert train(fresh(), never, TRAINING, checkpoint=checkpoint) == history


def test_evaluation_has_neither_dropout_nor_gradients() -> None:
    model, seen = fresh(), []

    def evaluate() -> dict[str, float]:
        seen.append((model.training, torch.is_grad_enabled()))
        return {"test_accuracy": 0.25}

    history = train(model, batch, TRAINING, evaluate=evaluate)
    assert seen == [(False, False)] * 3
    assert [record["test_accuracy"] for record in history] == [0.25] * 3


def test_learning_rate_rises_and_falls() -> None:
    rates = [warmup_cosine(step, 100, 10) for step in range(100)]
    assert rates[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)


def test_another_model_with_its_own_objective_and_solver(tmp_path: Path) -> None:
    """One weight that follows 3 x: by hand, with the gradient clipped and the rate halved."""

    def build() -> torch.nn.Linear:
        model = torch.nn.Linear(1, 1, bias=False).double()
        torch.nn.init.zeros_(model.weight)
        return model

    def run(steps: int) -> tuple[float, list[dict[str, object]]]:
        model = build()

        def objective(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            error = (model(x) - 3 * x).square().mean()
            return 20 * error, {"error": error}

        history = train(
            model,
            lambda step: torch.ones(1, 1).double() * (step + 1),
            TrainingConfig(steps=steps, learning_rate=0.01, clip_norm=10.0, every=2),
            objective=objective,
            optimizer=CaffeSGD(model.parameters(), 0.01),
            schedule=lambda step: 0.5 ** (step // 3),
            checkpoint=tmp_path / "state.pt",
        )
        return float(model.weight.detach()), history

    w = v = 0.0
    for step in range(6):
        gradient = 40 * (step + 1) ** 2 * (w - 3)
        v = 0.9 * v + 0.01 * 0.5 ** (step // 3) * max(-10.0, min(10.0, gradient))
        w -= v
    run(4)
    weight, history = run(6)
    assert weight == pytest.approx(w, rel=1e-5)
    assert [sorted(record) for record in history] == [["error", "run", "seconds", "step"]] * 3


def test_a_loss_that_is_not_finite_is_an_error_and_not_saved(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)

    def objective(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        loss = model.weight.sum() * (float("nan") if step > 4 else 1.0)
        return loss, {"loss": loss}

    checkpoint = tmp_path / "state.pt"
    with pytest.raises(FloatingPointError, match="steps to 8: expected finite numbers"):
        train(model, lambda step: step, TRAINING, objective=objective, checkpoint=checkpoint)
    assert load_state(checkpoint)["step"] == 4


def test_a_model_without_an_objective_is_refused() -> None:
    with pytest.raises(TypeError, match="model: expected an activity model, got Linear"):
        train(torch.nn.Linear(1, 1), batch, TRAINING)
