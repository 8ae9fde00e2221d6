"""The loss of a vocabulary and the steps of a search on the GPU: values of their definitions."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast.decoding import beam_search, graphs, sample, score
from tests.decoding.networks import captioner, images
from tests.gpu.operators import capture, require_op
from tests.gpu.test_sync import waiting_is_an_error
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops import test_linear_cross_entropy as loss
from tests.ops import test_lstm_step as step
from tests.ops import test_vocabulary_top_k as top_k

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]

OPS = torch.ops.lrcn_fast


def on(device: torch.device, values: Any) -> list[Any]:
    return [x.to(device) if isinstance(x, Tensor) else x for x in values]


@pytest.mark.parametrize(("rows", "hidden"), [(1, 1), (19, 7), (40, 1000)])
def test_step(
    rows: int, hidden: int, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    op = require_op("lstm_step", backend, device, dtype)
    arguments = step.draw(rows, 9, hidden, dtype, inputs=24)
    found = op(*on(device, arguments.values()))
    loop = OPS.lstm_step_reference(**arguments)
    exact = OPS.lstm_step_reference(**step.doubled(arguments))
    for name, ours, *two in zip(("h", "c"), found, loop, exact, strict=True):
        assert_no_worse_than_torch(ours.cpu(), *two, name)


@pytest.mark.parametrize("forbids", [False, True])
@pytest.mark.parametrize(("rows", "hidden", "words"), [(1, 1, 3), (19, 7, 700), (40, 1000, 8801)])
def test_top_k(
    rows: int,
    hidden: int,
    words: int,
    forbids: bool,
    dtype: torch.dtype,
    backend: str,
    device: torch.device,
) -> None:
    op = require_op("vocabulary_top_k", backend, device, dtype)
    arguments = top_k.draw(rows, hidden, words, dtype)
    forbidden = torch.rand(words) < 0.4 if forbids else None
    values, found = op(*on(device, [*arguments, 5, forbidden]))
    _, expected = OPS.vocabulary_top_k_reference(*arguments, 5, forbidden)
    assert torch.equal(found.cpu(), expected)
    assert (values.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("ignored", [0.0, 0.5, 1.0])
def test_loss(ignored: float, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    op = require_op("linear_cross_entropy", backend, device, dtype)
    leaves = loss.draw(60, 33, 470, dtype)
    targets = loss.draw_targets(60, 470, ignored)
    gpu = [leaf.detach().to(device).requires_grad_() for leaf in leaves]
    value = op(*gpu, targets.to(device), -1, True, True, True)[0]
    found = value, *torch.autograd.grad(2 * value, gpu)
    torchs = loss.run_torch(leaves, targets)
    exact = loss.run_torch([leaf.detach().double().requires_grad_() for leaf in leaves], targets)
    for name, ours, *two in zip(("loss", "hidden", "weight", "bias"), found, torchs, exact):
        assert_no_worse_than_torch(ours.cpu(), *two, name)


def test_the_host_does_not_wait(backend: str, device: torch.device) -> None:
    dtype = torch.float32
    calls = {
        "lstm_step": on(device, step.draw(19, 9, 40).values()),
        "vocabulary_top_k": on(device, [*top_k.draw(19, 40, 700, dtype), 5]),
        "linear_cross_entropy": on(
            device, [*loss.draw(60, 33, 470, dtype), loss.draw_targets(60, 470, 0.5)]
        ),
    }
    with torch.no_grad():
        for name, arguments in calls.items():
            op = require_op(name, backend, device, dtype)
            op(*arguments)
            with waiting_is_an_error():
                op(*arguments)


def test_steps_in_a_graph(backend: str, device: torch.device) -> None:
    """A word for every row, replayed: the step, then the best words after it."""
    advance = require_op("lstm_step", backend, device, torch.float32)
    choose = require_op("vocabulary_top_k", backend, device, torch.float32)
    arguments = on(device, step.draw(19, 9, 40).values())
    weight = torch.randn(700, 40, device=device)

    def run() -> tuple[Tensor, ...]:
        h, c = advance(*arguments)
        return h, c, *choose(h, weight, None, 5)

    expected = run()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = run()
    for result in found:
        result.zero_()
    graph.replay()
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("variant", ["1u", "2f", "lm"])
def test_sentences_of_the_cpu(variant: str, backend: str, device: torch.device) -> None:
    require_op("lstm_step", backend, device, torch.float32)
    model, features = captioner(variant).float(), images(variant, 5)
    features = None if features is None else features.float()
    expected = beam_search(model, features, 3, 12, n_best=3)
    captions = expected.tokens[:, 0].masked_fill(expected.tokens[:, 0] == 0, -1)
    scores = score(model, features, captions)
    model = model.to(device)
    features = None if features is None else features.to(device)
    name = backend.partition("-")[0]
    found = beam_search(model, features, 3, 12, n_best=3, backend=name)
    assert torch.equal(found.tokens.cpu(), expected.tokens)
    torch.testing.assert_close(found.log_probs.cpu(), expected.log_probs)
    torch.testing.assert_close(score(model, features, captions).cpu(), scores)
    drawn = sample(model, features, 4, 1.5, 12, backend=name)
    assert drawn.tokens.is_cuda and (drawn.lengths > 0).all()


def test_searches_do_not_wait(backend: str, device: torch.device) -> None:
    """Up to the first look whether all sentences are finished; captured by the call before."""
    require_op("lstm_step", backend, device, torch.float32)
    model, features = captioner("2f").float().to(device), images("2f", 5)
    assert features is not None
    features, name = features.float().to(device), backend.partition("-")[0]

    def run() -> None:
        beam_search(model, features, 3, 8, min_length=2, backend=name)
        sample(model, features, 4, 1.5, 8, backend=name)

    run()
    with waiting_is_an_error():
        run()


def test_replayed_searches(
    backend: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of other images than those of the capture, and beside plain steps."""
    require_op("lstm_step", backend, device, torch.float32)
    model, name = captioner("2f").float().to(device), backend.partition("-")[0]
    for _ in range(3):
        features = torch.randn(5, 3, device=device)
        found = beam_search(model, features, 3, 20, n_best=3, backend=name)
        with monkeypatch.context() as patch:
            patch.setattr(graphs, "recorder", lambda device: None)
            expected = beam_search(model, features, 3, 20, n_best=3, backend=name)
        assert torch.equal(found.tokens, expected.tokens)
        assert torch.equal(found.log_probs, expected.log_probs)


def test_a_search_within_a_capture(backend: str, device: torch.device) -> None:
    require_op("lstm_step", backend, device, torch.float32)
    model, name = captioner("2f").float().to(device), backend.partition("-")[0]
    features = torch.randn(5, 3, device=device)
    graph, found = capture(lambda: beam_search(model, features, 3, 20, backend=name))
    features.copy_(torch.randn(5, 3, device=device))
    graph.replay()
    expected = beam_search(model, features, 3, 20, backend=name)
    assert torch.equal(found.tokens, expected.tokens)
