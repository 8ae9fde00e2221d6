"""SoftmaxWithLoss and Accuracy against loops over positions."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import CaffeError, Net
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import assert_equal_to_oracle

SHAPE = (3, 2, 5, 2)
IGNORED = -1


def loss_net(folder: Path, axis: int, labels: Tensor, more: str, tops: str = "loss") -> Net:
    text = input_layer(x=SHAPE, labels=labels.shape)
    more = f"softmax_param {{ axis: {axis} }} {more}"
    return build(folder, text + layer("SoftmaxWithLoss", "x labels", tops, more))


def arranged(x: Tensor, axis: int) -> Tensor:
    """(positions, classes), positions in the order of the labels."""
    return x.movedim(axis, -1).reshape(-1, x.shape[axis])


@pytest.mark.parametrize("mode", ["", "FULL", "VALID", "BATCH_SIZE", "NONE", "true", "false"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_loss(axis: int, mode: str, tmp_path: Path) -> None:
    x = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
    rest = [size for index, size in enumerate(SHAPE) if index != axis % 4]
    labels = torch.randint(-1, SHAPE[axis], rest)
    word = {"": "", "true": "normalize: true", "false": "normalize: false"}.get(
        mode, f"normalization: {mode}"
    )
    more = f"loss_param {{ ignore_label: {IGNORED} {word} }} loss_weight: 20"
    loss = loss_net(tmp_path, axis, labels, more)({"x": x, "labels": labels.double()})["loss"]
    valid = [label for label in labels.flatten().tolist() if label != IGNORED]
    total = sum(
        -math.log(row.softmax(0)[label])
        for row, label in zip(arranged(x.detach(), axis), labels.flatten().tolist(), strict=True)
        if label != IGNORED
    )
    divisor = {
        "FULL": labels.numel(), "BATCH_SIZE": math.prod(SHAPE[: axis % 4]), "NONE": 1,
        "false": math.prod(SHAPE[: axis % 4]),
    }.get(mode, len(valid))  # fmt: skip
    assert_equal_to_oracle(loss, torch.tensor(20 * total / divisor, dtype=torch.float64), "loss")
    loss.backward()
    gradient = arranged(x.grad, axis)
    for position, label in enumerate(labels.flatten().tolist()):
        expected = arranged(x.detach(), axis)[position].softmax(0)
        expected[label] -= 1
        expected = expected * 20 / divisor if label != IGNORED else expected * 0
        assert_equal_to_oracle(gradient[position], expected, f"gradient {position}")


def test_loss_where_everything_is_ignored(tmp_path: Path) -> None:
    labels = torch.full((3, 5, 2), IGNORED)
    x = torch.full(SHAPE, math.nan, requires_grad=True)
    net = loss_net(tmp_path, 1, labels, f"loss_param {{ ignore_label: {IGNORED} }}")
    loss = net({"x": x, "labels": labels})["loss"]
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


def test_loss_of_a_probability_that_is_next_to_nothing(tmp_path: Path) -> None:
    # As Caffe has it: the value stops at the least float32, the gradient goes on.
    text = input_layer(x=(1, 2), labels=(1,)) + layer("SoftmaxWithLoss", "x labels", "loss")
    x = torch.tensor([[1000.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = build(tmp_path, text)({"x": x, "labels": torch.tensor([1])})["loss"]
    loss.backward()
    assert_equal_to_oracle(loss, torch.tensor(126 * math.log(2), dtype=torch.float64), "loss")
    assert x.grad.tolist() == [[1, -1]]


def test_probabilities_as_a_second_top(tmp_path: Path) -> None:
    x, labels = torch.randn(SHAPE), torch.zeros(3, 5, 2)
    outputs = loss_net(tmp_path, 1, labels, "", "loss p")({"x": x, "labels": labels})
    assert_equal_to_oracle(outputs["p"], x.softmax(1), "p")
    with pytest.raises(CaffeError, match="loss_weight: expected one for the first top alone"):
        loss_net(tmp_path, 1, labels, "loss_weight: 1 loss_weight: 1", "loss p")


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_that_name_no_class(label: int, tmp_path: Path) -> None:
    net = loss_net(tmp_path, 1, torch.zeros(3, 5, 2), "")
    labels = torch.zeros(3, 5, 2)
    labels[1, 2, 1] = label
    with pytest.raises(CaffeError, match="expected labels 0 to 1, got values from"):
        net({"x": torch.zeros(SHAPE), "labels": labels})


def test_labels_that_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match="expected 30 labels for scores of shape"):
        loss_net(tmp_path, 1, torch.zeros(3, 5), "")


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_accuracy(top_k: int, tmp_path: Path) -> None:
    scores, labels = torch.randn(6, 3, 5), torch.randint(-1, 5, (6, 3)).float()
    text = input_layer(x=scores.shape, labels=labels.shape)
    more = f"accuracy_param {{ axis: 2 top_k: {top_k} ignore_label: -1 }}"
    net = build(tmp_path, text + layer("Accuracy", "x labels", "share", more))
    share = net({"x": scores, "labels": labels})["share"]
    best = scores.topk(top_k, 2).indices
    valid = labels >= 0
    hits = ((best == labels.unsqueeze(2)).any(2) & valid).sum()
    assert_equal_to_oracle(share, hits / valid.sum(), "accuracy")
    assert not net({"x": scores.requires_grad_(), "labels": labels})["share"].requires_grad


def test_a_tie_is_a_miss(tmp_path: Path) -> None:
    text = input_layer(x=(1, 2), labels=(1,)) + layer("Accuracy", "x labels", "share")
    share = build(tmp_path, text)({"x": torch.zeros(1, 2), "labels": torch.zeros(1)})["share"]
    assert share.item() == 0
