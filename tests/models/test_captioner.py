"""The captioner's wiring, its initialisation, its state, and what it refuses."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lrcn_fast.models import Captioner, CaptionerConfig
from tests.helpers.tolerance import assert_equal_to_oracle

VARIANTS = ["1u", "2u", "2f", "4f", "lm"]


def build(variant: str, **options: object) -> Captioner:
    sizes = {"embed_size": 5, "hidden_size": 6, "image_size": 7, **options}
    return Captioner(11, variant, **sizes).double()  # type: ignore[arg-type]


def inputs(variant: str, steps: int = 9, batch: int = 4) -> tuple[Tensor, Tensor, Tensor | None]:
    words = torch.randint(-1, 11, (steps, batch))
    image = None if variant == "lm" else torch.randn(batch, 7).double()
    return words, torch.rand(steps, batch) > 0.3, image


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_against_torch(variant: str) -> None:
    """torch.nn.LSTM layer by layer; where the image enters it is part of the input."""
    model = build(variant)
    words, _, image = inputs(variant)
    x = model.embedding.weight[words.clamp(min=0)]
    assert len(model.layers) == {"1u": 1, "2u": 2, "2f": 2, "4f": 4, "lm": 1}[variant]
    entered = {"1u": 0, "2u": 0, "2f": 1, "4f": 2, "lm": None}[variant]
    for index, lstm in enumerate(model.layers):
        weights = dict(lstm.named_parameters())
        if index == entered:
            assert image is not None
            x = torch.cat([x, image.expand(len(x), *image.shape)], 2)
            static = weights.pop("weight_is_l0")
            weights["weight_ih_l0"] = torch.cat([weights["weight_ih_l0"], static], 1)
        theirs = nn.LSTM(x.shape[2], 6).double()
        theirs.load_state_dict(weights)
        x = theirs(x)[0]
    assert_equal_to_oracle(model(words, None, image), model.predict(x), "scores")


@pytest.mark.parametrize("variant", VARIANTS)
@given(st.integers(1, 8), st.integers(0, 3))
def test_a_window_in_pieces(variant: str, cut: int, batch: int) -> None:
    model = build(variant)
    words, cont, image = inputs(variant, batch=batch)
    whole, _ = model.hidden(words, cont, image)
    first, state = model.hidden(words[:cut], cont[:cut], image)
    second, _ = model.hidden(words[cut:], cont[cut:], image, state)
    assert_equal_to_oracle(torch.cat([first, second]), whole, "hidden")


def test_words_before_a_start_do_not_matter() -> None:
    model = build("2f")
    words, cont, image = inputs("2f")
    cont[5] = False
    others = torch.cat([torch.randint(0, 11, (5, 4)), words[5:]])
    assert torch.equal(model(words, cont, image)[5:], model(others, cont, image)[5:])


def test_initial_weights() -> None:
    model = Captioner(200, "2f", 30, 40, 50)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {n for n, _ in model.named_parameters()} - trained == {
        f"lstm{k}.bias_hh_l0" for k in (1, 2)
    }
    for name, parameter in model.named_parameters():
        if "bias" in name:
            assert not parameter.any(), name
            continue
        assert 0.078 < parameter.abs().max() <= 0.08, name
        assert abs(parameter.std() / (0.16 / 12**0.5) - 1) < 0.05, name


def test_number_of_parameters() -> None:
    """Those of the released networks, without the biases that they lack."""
    for variant, millions in {"1u": 29.61, "2u": 37.62, "2f": 37.62, "4f": 53.63}.items():
        with torch.device("meta"):
            model = Captioner(8801, variant)
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert round(count / 1e6, 2) == pytest.approx(millions, abs=0.011), variant


def test_dropout_acts_in_training_alone() -> None:
    model = build("lm", dropout=0.5)
    words, cont, _ = inputs("lm")
    torch.manual_seed(1)
    first = model(words, cont)
    assert not torch.equal(first, model(words, cont))
    model.eval()
    assert torch.equal(model(words, cont), model(words, cont))


def test_encoder_in_front() -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 7))
    model = build("2f", encoder=encoder)
    pixels, words = torch.randn(4, 3, 2, 2).double(), torch.randint(0, 11, (3, 4))
    scores = model(words, None, pixels)
    assert torch.equal(scores, model(words, None, encoder(pixels)))
    scores.sum().backward()
    assert encoder[1].weight.grad is not None and encoder[1].weight.grad.any()


def test_config_goes_through_json() -> None:
    model = Captioner(11, "4f", 5, 6, 7, dropout=0.25)
    config = CaptionerConfig.from_dict(json.loads(json.dumps(model.config.to_dict())))
    assert config == model.config
    other = Captioner.from_config(config)
    other.load_state_dict(model.state_dict())


def test_compile() -> None:
    model = build("2f")
    words, cont, image = inputs("2f")
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_equal_to_oracle(compiled(words, cont, image), model(words, cont, image), "scores")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "3f"}, "variant: expected one of 1u, 2u, 2f, 4f, lm, got '3f'"),
        ({"vocabulary_size": 0}, "vocabulary_size: expected an integer of at least 1, got 0"),
        ({"hidden_size": 2.5}, "hidden_size: .* got 2.5"),
        ({"dropout": 1.0}, "dropout: .* got 1.0"),
        ({"filler": 0.0}, "filler: .* got 0.0"),
        ({"variant": "lm", "encoder": nn.Identity()}, "encoder: expected None"),
    ],
)
def test_bad_sizes(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Captioner(**{"vocabulary_size": 11, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variant", "change", "error", "message"),
    [
        ("2f", {"words": torch.zeros(3, 4)}, TypeError, "words: expected int64 or int32, got a fl"),
        ("2f", {"words": torch.zeros(3, dtype=torch.int64)}, ValueError, r"words: .* \(T, B\)"),
        ("2f", {"words": torch.full((3, 4), 11)}, ValueError, "words: .* below V = 11, got 11"),
        ("2f", {"image": None}, ValueError, r"image: expected features \(B, S\) with S = 7, got N"),
        ("2f", {"image": torch.zeros(3, 7).double()}, ValueError, r"image: .* = \(4, 7\)"),
        ("2f", {"image": torch.zeros(4, 7)}, TypeError, "image: .*float32"),
        ("2f", {"image": torch.zeros(4, 3, 2, 2).double()}, ValueError, "image: .* = \\(4, 7\\)"),
        ("lm", {"image": torch.zeros(4, 7).double()}, ValueError, "image: expected None"),
        ("2f", {"cont": torch.ones(4, 3)}, ValueError, "cont: expected shape"),
    ],
)
def test_bad_input(
    variant: str, change: dict[str, Tensor | None], error: type[Exception], message: str
) -> None:
    words, cont, image = inputs(variant, steps=3)
    arguments = {"words": words, "cont": cont, "image": image, **change}
    with pytest.raises(error, match=message):
        build(variant)(**arguments)
