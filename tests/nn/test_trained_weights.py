"""Networks that others trained give the same outputs through our modules."""

import pytest
import torch

import lrcn_fast
from tests.helpers.modules import named_gradients
from tests.helpers.tolerance import (
    GRADIENT,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)
from tests.helpers.trained import resemblyzer_weights, silero_weights


@pytest.fixture(scope="module")
def speaker() -> tuple[torch.nn.LSTM, lrcn_fast.LSTM]:
    weights = resemblyzer_weights()
    theirs = torch.nn.LSTM(40, 256, num_layers=3, batch_first=True)
    ours = lrcn_fast.LSTM(40, 256, num_layers=3, batch_first=True)
    theirs.load_state_dict(weights)
    ours.load_state_dict(weights)
    return theirs, ours


def test_speaker_encoder(speaker: tuple[torch.nn.LSTM, lrcn_fast.LSTM], isa: str) -> None:
    """160 mel frames a partial utterance, as Resemblyzer feeds them; h_n is the embedding."""
    theirs, ours = speaker
    mels = torch.rand(2, 160, 40).square()
    exact_module = torch.nn.LSTM(40, 256, num_layers=3, batch_first=True).double()
    exact_module.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        exact, (exact_h, _) = exact_module(mels.double())
        expected, (expected_h, _) = theirs(mels)
        actual, (actual_h, _) = ours(mels)
    assert_no_worse_than_torch(actual, expected, exact, "output")
    assert_no_worse_than_torch(actual_h, expected_h, exact_h, "h_n")


def test_speaker_encoder_gradients_in_float64(
    speaker: tuple[torch.nn.LSTM, lrcn_fast.LSTM],
) -> None:
    mels, gradients = torch.rand(2, 20, 40, dtype=torch.float64), []
    for kind, source in zip((torch.nn.LSTM, lrcn_fast.LSTM), speaker, strict=True):
        module = kind(40, 256, num_layers=3, batch_first=True, dtype=torch.float64)
        module.load_state_dict(source.state_dict())
        module(mels)[1][0][-1].sum().backward()
        gradients.append(named_gradients(module))
    for name, gradient in gradients[0].items():
        assert_equal_to_oracle(gradients[1][name], gradient, name, GRADIENT)


def test_voice_activity_cell(isa: str) -> None:
    """40 frames of a stream, state carried from step to step."""
    weights = silero_weights()
    theirs, ours = torch.nn.LSTMCell(128, 128), lrcn_fast.LSTMCell(128, 128)
    exact_cell = torch.nn.LSTMCell(128, 128, dtype=torch.float64)
    for module in (theirs, ours, exact_cell):
        module.load_state_dict(weights)
    frames = torch.randn(40, 1, 128)
    states: list[tuple[torch.Tensor, torch.Tensor] | None] = [None, None, None]
    with torch.no_grad():
        for frame in frames:
            states = [
                ours(frame, states[0]),
                theirs(frame, states[1]),
                exact_cell(frame.double(), states[2]),
            ]
    for k, name in enumerate("hc"):
        assert_no_worse_than_torch(*(state[k] for state in states), name)


def test_voice_activity_layer(isa: str) -> None:
    """The same weights as a layer over the whole stream, in one call."""
    weights = silero_weights()
    layer = lrcn_fast.LSTM(128, 128)
    layer.load_state_dict({f"{name}_l0": value for name, value in weights.items()})
    torchs = torch.nn.LSTM(128, 128)
    torchs.load_state_dict(layer.state_dict())
    exact = torch.nn.LSTM(128, 128, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    frames = torch.randn(60, 2, 128)
    with torch.no_grad():
        assert_no_worse_than_torch(
            layer(frames)[0], torchs(frames)[0], exact(frames.double())[0], "output"
        )
