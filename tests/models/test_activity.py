"""The activity recogniser and its baseline: shapes, streaming, padding, prediction, errors."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import lrcn_fast
from lrcn_fast.functional import frames_to_input
from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier
from tests.helpers.tolerance import assert_bitwise_equal, assert_equal_to_oracle

T, B, CLASSES = 6, 3, 4
CONFIG = ActivityConfig.small(CLASSES, image_size=(12, 14), fc6=10, hidden_size=8)


def recogniser() -> ActivityRecognizer:
    return ActivityRecognizer(CONFIG).double()


def frames(steps: int = T, batch: int = B) -> Tensor:
    return torch.randn(steps, batch, 3, 12, 14, dtype=torch.float64)


def test_paper_sizes() -> None:
    model = ActivityRecognizer.paper(classes=101).eval()
    assert (model.config.feature_dropout, model.config.output_dropout) == (0.9, 0.5)
    with torch.no_grad():
        scores, (h_n, c_n) = model(torch.randn(1, 1, 3, 227, 227))
    assert scores.shape == (1, 1, 101)
    assert h_n.shape == c_n.shape == (1, 1, 256)
    assert {name: tuple(p.shape) for name, p in model.lstm.named_parameters()} == {
        "weight_ih_l0": (1024, 4096),
        "weight_hh_l0": (1024, 256),
        "bias_ih_l0": (1024,),
        "bias_hh_l0": (1024,),
    }
    assert bool(scores.isfinite().all())
    names = [name for name, _ in model.features.net.named_children()]
    assert names == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6"]


def test_paper_initialisation() -> None:
    model = ActivityRecognizer(replace(CONFIG, classes=50, hidden_size=64, lstm_filler=0.01))
    for name, parameter in model.lstm.named_parameters():
        largest = float(parameter.detach().abs().max())
        assert largest == 0 if name.startswith("bias") else 0.009 < largest <= 0.01
    assert 0.009 < float(model.fc8.weight.detach().std()) < 0.011
    assert not model.fc8.bias.any()


def test_frames_are_folded_time_major() -> None:
    model, x = recogniser(), frames()
    scores, _ = model(x)
    alone, _ = model(x[:, 1:2])
    assert scores.shape == (T, B, CLASSES)
    assert_equal_to_oracle(scores[:, 1:2], alone, "scores of one stream")


def test_sizes_by_keyword_are_the_configuration() -> None:
    model = ActivityRecognizer(classes=5, net="SmallNet", hidden_size=6)
    assert model.config == ActivityConfig(classes=5, net="SmallNet", hidden_size=6)
    with pytest.raises(TypeError, match="not both"):
        ActivityRecognizer(CONFIG, hidden_size=6)


def test_stream_equals_the_whole() -> None:
    model, x = recogniser(), frames(11)
    cont = torch.rand(11, B) > 0.3
    whole, (h_n, c_n) = model(x, cont=cont)
    pieces = list(model.stream(zip(x.split(4), cont.split(4), strict=True)))
    assert_equal_to_oracle(torch.cat(pieces), whole, "scores in pieces")
    state = None
    for t in range(11):
        scores, state = model.step(x[t], state, cont=cont[t])
        assert_equal_to_oracle(scores, whole[t], f"scores at step {t}")
        assert not scores.requires_grad
    assert state is not None
    assert_equal_to_oracle(state[0], h_n, "h_n")
    assert_equal_to_oracle(state[1], c_n, "c_n")


def test_cont_starts_a_clip_anew() -> None:
    model, x = recogniser(), frames()
    cont = torch.ones(T, B, dtype=torch.bool)
    cont[3, 1] = False
    scores, _ = model(x, cont=cont)
    fresh, _ = model(x[3:])
    unbroken, _ = model(x)
    assert_equal_to_oracle(scores[3:, 1], fresh[:, 1], "scores after the mark")
    assert_equal_to_oracle(scores[:, 0], unbroken[:, 0], "scores without a mark")
    assert not torch.allclose(scores[3:, 1], unbroken[3:, 1])


def test_state_is_carried() -> None:
    model, x = recogniser(), frames()
    whole, _ = model(x)
    _, state = model(x[:2])
    rest, _ = model(x[2:], state)
    assert_equal_to_oracle(rest, whole[2:], "scores with the state of the first part")


def test_lengths_end_a_clip() -> None:
    model, x = recogniser(), frames()
    lengths = torch.tensor([6, 2, 4])
    probabilities = model.predict(x, lengths=lengths)
    x[2:, 1] = float("nan")
    _, (h_n, _) = model(x, lengths=lengths)
    assert_bitwise_equal(model.predict(x, lengths=lengths), probabilities, "prediction")
    _, (short, _) = model(x[:2, 1:2])
    assert_equal_to_oracle(h_n[:, 1:2], short, "h after the last valid step")


def test_padded_frames_are_not_computed() -> None:
    x, lengths = frames(), torch.tensor([6, 0, 4])
    for model in (recogniser(), FrameClassifier(CONFIG).double()):
        seen: list[int] = []
        model.features.net.register_forward_hook(lambda *call, to=seen: to.append(len(call[1][0])))
        model.features.max_frames = 4
        probabilities = model.predict(x, lengths=lengths)
        assert seen == [4, 4, 2]
        assert not probabilities[1].any()
        alone = model.predict(x[:4, 2:])
        assert_equal_to_oracle(probabilities[2:], alone, "prediction of a short clip")


def test_pixels_with_a_preprocess() -> None:
    model = recogniser()
    pixels = torch.randint(0, 256, (T, B, 12, 14, 3), dtype=torch.uint8)
    convert = partial(frames_to_input, mean=(100.0, 110.0, 120.0), dtype=torch.float64)
    images = convert(pixels.flatten(0, 1)).unflatten(0, (T, B))
    expected, _ = model(images)
    model.features.preprocess = convert
    assert_equal_to_oracle(model(pixels)[0], expected, "scores")
    assert_equal_to_oracle(model.step(pixels[0])[0], expected[0], "scores of a step")


def test_each_clip_is_cropped_and_mirrored_as_asked() -> None:
    """As the paper trains: one window and one flip of a coin for all frames of a clip."""
    model, baseline = recogniser().eval(), FrameClassifier(CONFIG).double().eval()
    means = (100.0, 110.0, 120.0)
    convert = partial(frames_to_input, size=(12, 14), mean=means, dtype=torch.float64)
    pixels = torch.randint(0, 256, (T, 2, 20, 17, 3), dtype=torch.uint8)
    windows = torch.tensor([(2, 1), (8, 3)])
    cut = torch.stack([pixels[:, b, y : y + 12, x : x + 14] for b, (y, x) in enumerate(windows)], 1)
    cut[:, 1] = cut[:, 1].flip(2)
    each = {
        "offsets": windows.expand(T, 2, 2),
        "mirror": torch.tensor([False, True]).expand(T, 2),
    }
    model.features.preprocess = baseline.features.preprocess = convert
    assert_bitwise_equal(model(pixels, **each)[0], model(cut)[0], "scores")
    assert_bitwise_equal(baseline(pixels, **each), baseline(cut), "scores of the baseline")


def test_prediction_is_the_mean_softmax_without_dropout() -> None:
    config = replace(CONFIG, feature_dropout=0.9, output_dropout=0.5)
    model, x = ActivityRecognizer(config).double(), frames()
    assert model.training
    probabilities = model.predict(x)
    assert all(module.training for module in model.modules())
    scores, _ = model.eval()(x)
    assert_equal_to_oracle(probabilities, scores.softmax(-1).mean(0), "prediction")
    assert not probabilities.requires_grad


def test_dropout_is_on_in_training_only() -> None:
    config = replace(CONFIG, feature_dropout=0.9, output_dropout=0.5)
    model, x = ActivityRecognizer(config).double(), frames()
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])


def test_gradients_reach_every_weight() -> None:
    for model in (recogniser(), FrameClassifier(CONFIG).double()):
        output = model(frames())
        scores = output[0] if isinstance(output, tuple) else output
        model.loss(scores, torch.tensor([0, 3, 1])).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert bool(parameter.grad.any()), name


def test_torch_lstm_gives_the_same_scores() -> None:
    ours = recogniser()
    theirs = ActivityRecognizer(CONFIG, lstm=nn.LSTM).double()
    theirs.load_state_dict(ours.state_dict())
    x = frames()
    assert isinstance(ours.lstm, lrcn_fast.LSTM)
    assert_equal_to_oracle(ours(x)[0], theirs(x)[0], "scores")
    with pytest.raises(TypeError, match=r"cont: torch.nn.LSTM does not take this"):
        theirs(x, cont=torch.ones(T, B))


def test_baseline_sees_one_frame_at_a_time() -> None:
    model, x = FrameClassifier(CONFIG).double(), frames()
    scores = model(x)
    order = torch.randperm(T)
    assert scores.shape == (T, B, CLASSES)
    assert_equal_to_oracle(model(x[order]), scores[order], "scores of shuffled frames")
    assert_equal_to_oracle(model.predict(x), scores.softmax(-1).mean(0), "prediction")


def test_configuration_survives_a_trip_through_a_dict() -> None:
    for config in (CONFIG, ActivityConfig.paper()):
        assert ActivityConfig.from_dict(config.to_dict()) == config
        assert ActivityConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("build", [ActivityRecognizer, FrameClassifier])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (torch.zeros(B, 3, 12, 14), ValueError, r"frames: expected shape \(T, B, C, Y, X\)"),
        (torch.zeros(0, B, 3, 12, 14), ValueError, "T and B at least 1"),
        (torch.zeros(T, 0, 3, 12, 14), ValueError, "T and B at least 1"),
        (torch.zeros(T, B, 3, 14, 12), ValueError, r"expected shape \(N, 3, 12, 14\)"),
        (torch.zeros(T, B, 3, 12, 14, dtype=torch.uint8), TypeError, "subtract the mean first"),
        ("film.mp4", TypeError, "frames: expected a tensor, got str"),
    ],
)
def test_bad_frames(
    build: type[nn.Module], bad: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(CONFIG)(bad)


def test_bad_step() -> None:
    with pytest.raises(ValueError, match="frames: expected one step"):
        recogniser().step(frames())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", 0),
        ("hidden_size", 0),
        ("num_layers", 0),
        ("feature_dropout", 1.0),
        ("net", "ResNet"),
    ],
)
def test_bad_configuration(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        ActivityConfig(**{"classes": 3, name: value})  # type: ignore[arg-type]
