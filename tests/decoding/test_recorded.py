"""Searches whose steps are recorded and repeated as on a GPU, by stand-ins for graphs."""

import gc
import weakref

import pytest
import torch

from lrcn_fast.decoding import beam_search, graphs
from lrcn_fast.decoding.options import may_look
from tests.decoding.networks import VARIANTS, captioner, images


class Recordings:
    """Stands in for CUDA graphs: a replay makes the recorded call again, on the same tensors."""

    def __init__(self) -> None:
        self.made = 0
        self.replays = 0

    def __call__(self, call: graphs.Call, device: torch.device) -> graphs.Call:
        self.made += 1
        # A capture is preceded by a call.
        call()

        def replay() -> None:
            self.replays += 1
            call()

        return replay


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    made = Recordings()
    monkeypatch.setattr(graphs, "recorder", lambda device: made)
    return made


@pytest.mark.parametrize("min_length", [0, 3])
@pytest.mark.parametrize("forbidden", [(), (2,)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_as_without(
    variant: str, forbidden: tuple[int, ...], min_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time, with other images, the same recording is repeated."""
    made, model = Recordings(), captioner(variant, seed=3)
    for beam_size in (1, 4):
        before = made.made
        for _ in range(2):
            features = images(variant, 5)
            options = {"forbidden": forbidden, "min_length": min_length, "word_log_probs": True}
            call = (model, features, beam_size, 20)
            expected = beam_search(*call, n_best=beam_size, **options)
            with monkeypatch.context() as patch:
                patch.setattr(graphs, "recorder", lambda device: made)
                found = beam_search(*call, n_best=beam_size, **options)
            for name, ours in vars(found).items():
                assert torch.equal(ours, getattr(expected, name)), name
        assert made.made == before + 1


def test_pieces_share_a_recording(recordings: Recordings) -> None:
    model, features = captioner("2f", seed=3), images("2f", 6)
    found = beam_search(model, features, 3, 9, batch_size=2)
    assert recordings.made == 1
    assert torch.equal(found.tokens, beam_search(model, features, 3, 9).tokens)
    assert recordings.made == 2


def test_new_weights_and_options_are_recorded_anew(recordings: Recordings) -> None:
    model, features = captioner("2f"), images("2f")
    beam_search(model, features, 3, 9)
    for made, options in enumerate(({"length_penalty": 1.0}, {"forbidden": [1]}), 2):
        beam_search(model, features, 3, 9, **options)
        assert recordings.made == made
    before = beam_search(model, features, 3, 9).log_probs
    assert recordings.made == 3
    with torch.no_grad():
        model.layers[1].weight_hh_l0.mul_(-1)
    after = beam_search(model, features, 3, 9).log_probs
    assert recordings.made == 4 and not torch.equal(before, after)


def test_few_are_kept_and_none_without_its_captioner(recordings: Recordings) -> None:
    model, features = captioner("2f"), images("2f")
    for length in range(1, 20):
        beam_search(model, features, 2, length)
    beam_search(model, features, 2, 19)
    assert recordings.made == 19
    beam_search(model, features, 2, 1)
    assert recordings.made == 20
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_no_step_after_the_last(recordings: Recordings) -> None:
    beam_search(captioner("2f"), images("2f"), 3, 5, forbidden=[0])
    assert recordings.replays == 5


def test_no_images(recordings: Recordings) -> None:
    assert beam_search(captioner("2f"), images("2f", 0), 3, 5).tokens.shape == (0, 1, 5)


def test_nothing_is_recorded_on_the_cpu() -> None:
    assert graphs.recorder(torch.device("cpu")) is None


def test_steps_are_kept_across_inference_mode(recordings: Recordings) -> None:
    model = captioner("2f", seed=3)
    features = images("2f", 5)
    with torch.inference_mode():
        inside = beam_search(model, features, 3, 12)
    outside = beam_search(model, features, 3, 12)
    assert recordings.made == 1
    assert torch.equal(inside.tokens, outside.tokens)


def test_a_gpu_is_waited_for_every_eighth_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for capturing, expected in ((False, [8, 16]), (True, [])):
        monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda now=capturing: now)
        assert [step for step in range(20) if may_look(step, torch.device("cuda"))] == expected
    assert all(may_look(step, torch.device("cpu")) for step in range(20))
