"""The package's models in ONNX."""

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.export import Dim

import lrcn_fast
from lrcn_fast.export import to_onnx
from lrcn_fast.functional import frames_to_input, relu_max_pool_lrn
from lrcn_fast.models import ActivityRecognizer, Captioner
from lrcn_fast.nn import CaffeNet, FrameFeatures
from tests.helpers.onnx_runtime import SIZES, assert_session_equals, operators, run, session_of
from tests.helpers.tolerance import assert_bitwise_equal

T, B, N = Dim("T", min=2, max=4096), Dim("B", min=2, max=512), Dim("N", min=2, max=4096)


class Clips(nn.Module):
    """A recogniser whose lengths are positional, or that has none."""

    def __init__(self, model: ActivityRecognizer) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Any:
        return self.model(frames, lengths=lengths)


@pytest.mark.parametrize("ragged", [False, True])
def test_activity_recognizer(ragged: bool) -> None:
    model = Clips(ActivityRecognizer.small(classes=3, image_size=(32, 32))).eval()

    def arguments(T: int, B: int) -> tuple[Any, ...]:
        frames = torch.randn(T, B, 3, 32, 32)
        return (frames, torch.randint(0, T + 1, (B,))) if ragged else (frames,)

    shapes = ({0: T, 1: B}, {0: B}) if ragged else ({0: T, 1: B},)
    program = to_onnx(model, arguments(*SIZES[0]), dynamic_shapes=shapes)
    assert operators(program)["LSTM"] == 1
    assert_session_equals(
        session_of(program.model_proto), model, [arguments(*size) for size in SIZES]
    )


def test_pixels_through_caffe_net() -> None:
    """uint8 frames, cut and mirrored for each: pooling and normalisation are ONNX's operators."""
    mean = (104.0, 117.0, 123.0)
    preprocess = partial(frames_to_input, size=(67, 67), mean=mean, swap_rb=True)
    net = CaffeNet("fc6", width=0.0625, image_size=(67, 67))

    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = FrameFeatures(net, preprocess=preprocess)
            self.lstm = lrcn_fast.LSTM(net.feature_size, 8)

        def forward(self, frames: Tensor, offsets: Tensor, mirror: Tensor) -> Tensor:
            # Of the model's precision, which a test changes.
            features = self.features(frames, offsets=offsets, mirror=mirror)
            return self.lstm(features)[0]

    def arguments(T: int, B: int) -> tuple[Tensor, ...]:
        frames = torch.randint(0, 256, (T, B, 70, 75, 3), dtype=torch.uint8)
        return frames, torch.randint(0, 4, (T, B, 2)), torch.rand(T, B) < 0.5

    model = Pixels().eval()
    program = to_onnx(model, arguments(*SIZES[0]), dynamic_shapes=({0: T, 1: B},) * 3)
    found = operators(program)
    assert (found["MaxPool"], found["LRN"], found["LSTM"]) == (3, 2, 1)
    session = session_of(program.model_proto)
    for size in SIZES:
        given = arguments(*size)
        with torch.no_grad():
            expected = model(*given)
        # What the pixels become is compared bit for bit below, and the net in float64.
        torch.testing.assert_close(run(session, given)[0], expected)


@pytest.mark.parametrize("variant", ["2f", "1u", "lm"])
def test_captioner(variant: str) -> None:
    model = Captioner(11, variant, 5, 6, 7).eval()
    sees = variant != "lm"

    def arguments(T: int, B: int) -> tuple[Any, ...]:
        return torch.randint(-1, 11, (T, B)), None, torch.randn(B, 7) if sees else None

    shapes = ({0: T, 1: B}, None, {0: B} if sees else None)
    program = to_onnx(model, arguments(*SIZES[0]), dynamic_shapes=shapes)
    assert operators(program)["LSTM"] == model.config.num_layers
    assert_session_equals(
        session_of(program.model_proto), model, [arguments(*size) for size in SIZES]
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("states, bias", [(True, True), (True, False), (False, True)])
def test_cell(states: bool, bias: bool, dtype: torch.dtype) -> None:
    cell = lrcn_fast.LSTMCell(5, 7, bias=bias, dtype=dtype).eval()

    def arguments(B: int) -> tuple[Any, ...]:
        hx = (torch.randn(B, 7, dtype=dtype), torch.randn(B, 7, dtype=dtype))
        return torch.randn(B, 5, dtype=dtype), hx if states else None

    shapes = ({0: B}, ({0: B}, {0: B}) if states else None)
    program = to_onnx(cell, arguments(3), dynamic_shapes=shapes)
    assert_session_equals(
        session_of(program.model_proto), cell, [arguments(size) for size in (3, 8, 1)]
    )


class Maps(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        return relu_max_pool_lrn(x, **self.options)


@settings(max_examples=8)
@given(
    st.booleans(),
    st.sampled_from((None, 2, 3, (3, 2))),
    st.booleans(),
    st.sampled_from((None, 1, 5)),
    st.sampled_from(("pool_lrn", "lrn_pool")),
    st.sampled_from((torch.float32, torch.float64)),
)
def test_maps(
    relu: bool, kernel: Any, ceil_mode: bool, size: int | None, order: str, dtype: torch.dtype
) -> None:
    options = {"relu": relu, "kernel_size": kernel, "ceil_mode": ceil_mode, "lrn_size": size}
    model = Maps(**options, order=order, alpha=0.3)
    x = torch.randn(4, 6, 9, 8, dtype=dtype)
    session = session_of(to_onnx(model, (x,), dynamic_shapes=({0: N},)).model_proto)
    assert_session_equals(session, model, [(x,), (x[:1],)])


class Frames(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, frames: Tensor, each: dict[str, Tensor]) -> Tensor:
        return frames_to_input(frames, **each, **self.options)


@settings(max_examples=8)
@given(
    st.sets(st.sampled_from(("offsets", "mirror"))),
    st.sampled_from(((9, 11), (5, 6))),
    st.booleans(),
    st.sampled_from((None, 1)),
    st.booleans(),
    st.sampled_from((torch.float32, torch.float64, torch.float16)),
)
def test_pixels(
    names: set[str],
    size: tuple[int, int],
    swap_rb: bool,
    flow_channel: int | None,
    image: bool,
    dtype: torch.dtype,
) -> None:
    """Bit for bit."""
    mean = torch.rand(3, 9, 11) * 255 if image else (104.0, 117.0, 123.0)
    options = {"swap_rb": swap_rb, "flow_channel": flow_channel, "mean": mean}
    model = Frames(size=size, scale=(0.5, 0.3, 0.1), dtype=dtype, **options)

    def arguments(N: int) -> tuple[Any, ...]:
        room = torch.tensor([9 - size[0], 11 - size[1]])
        each = {
            "offsets": (torch.rand(N, 2) * (room + 1)).long(),
            "mirror": torch.rand(N) < 0.5,
        }
        frames = torch.randint(0, 256, (N, 9, 11, 3), dtype=torch.uint8)
        return frames, {name: each[name] for name in sorted(names)}

    shapes = ({0: N}, {name: {0: N} for name in sorted(names)})
    session = session_of(to_onnx(model, arguments(4), dynamic_shapes=shapes).model_proto)
    for count in (4, 1, 7):
        given = arguments(count)
        assert_bitwise_equal(run(session, given)[0], model(*given), f"N={count}")
