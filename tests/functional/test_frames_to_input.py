"""functional.frames_to_input: its arguments, and what torch.compile and export make of it."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim

from lrcn_fast import functional
from tests.helpers.tolerance import assert_bitwise_equal

FRAMES = torch.randint(0, 256, (4, 20, 30, 3), generator=torch.Generator().manual_seed(0)).to(
    torch.uint8
)
OFFSETS = torch.tensor([[0, 0], [4, 10], [2, 3], [1, 9]])
MIRROR = torch.tensor([True, False, True, False])
MEAN = (104.0, 117.0, 123.0)


def call(frames: Tensor = FRAMES, **options: Any) -> Tensor:
    given = {"size": (16, 20), "offsets": OFFSETS, "mirror": MIRROR, "mean": MEAN, "swap_rb": True}
    return functional.frames_to_input(frames, **{**given, "scale": 1 / 58, **options})


def test_against_torch() -> None:
    windows = []
    for frame, (top, left), mirrored in zip(FRAMES, OFFSETS.tolist(), MIRROR, strict=True):
        window = frame[top : top + 16, left : left + 20].permute(2, 0, 1).flip(0)
        windows.append(window.flip(2) if mirrored else window)
    expected = (torch.stack(windows).float() - torch.tensor(MEAN)[:, None, None]) * (1 / 58)
    actual = call()
    assert actual.is_contiguous(memory_format=torch.channels_last)
    assert_bitwise_equal(actual.contiguous(), expected, "input")


def test_forms_of_the_arguments() -> None:
    expected = call()
    planar = FRAMES.permute(0, 3, 1, 2)
    same = [
        call(planar),
        call(planar.contiguous(), channel_dim=1),
        call(channel_dim=3),
        call(channel_dim=-1),
        call(offsets=OFFSETS.to(torch.int32)),
        call(mean=torch.tensor(MEAN)),
        call(mean=torch.tensor(MEAN).double()),
        call(mean=torch.tensor(MEAN)[:, None, None].expand(3, 20, 30)),
        call(scale=[1 / 58] * 3),
        call(backend="reference"),
        call(memory_format=torch.contiguous_format),
    ]
    for number, actual in enumerate(same):
        assert_bitwise_equal(actual.contiguous(), expected.contiguous(), f"form {number}")
    assert same[-1].is_contiguous()


def test_defaults() -> None:
    actual = functional.frames_to_input(FRAMES)
    assert_bitwise_equal(actual.contiguous(), FRAMES.permute(0, 3, 1, 2).float(), "pixels")
    middle = functional.frames_to_input(FRAMES, size=(15, 20))
    assert_bitwise_equal(middle, actual[:, :, 2:17, 5:25], "the middle")


@pytest.mark.parametrize(
    "error, options, words",
    [
        (TypeError, {"frames": FRAMES.float()}, "frames: expected a tensor of uint8.*float32"),
        (TypeError, {"frames": FRAMES.tolist()}, "frames: expected a tensor of uint8, got a list"),
        (ValueError, {"frames": FRAMES[0]}, "frames: expected 4 dimensions"),
        (ValueError, {"frames": FRAMES[:, :3]}, "frames: expected 1..4 channels either"),
        (ValueError, {"frames": FRAMES[..., :0]}, "frames: expected 1..4 channels either"),
        (ValueError, {"channel_dim": 1}, "frames: expected 1..4 channels in dimension 1"),
        (ValueError, {"channel_dim": 2}, "channel_dim: expected None, 1 or 3, got 2"),
        (ValueError, {"size": (21, 20)}, r"size: .*\(20, 30\), got \(21, 20\)"),
        (ValueError, {"size": (0, 20)}, "size: expected"),
        (TypeError, {"size": 16}, "size: expected a pair of integers .* got 16"),
        (TypeError, {"size": (16.0, 20.0)}, "size: expected a pair of integers"),
        (TypeError, {"offsets": OFFSETS.float()}, "offsets: expected a tensor of integers"),
        (ValueError, {"offsets": OFFSETS[0]}, r"offsets: expected shape \(N, 2\) = \(4, 2\)"),
        (ValueError, {"offsets": OFFSETS + 1}, r"offsets: .*\(4, 10\), got \(1, 1\)..\(5, 11\)"),
        (ValueError, {"offsets": OFFSETS - 1}, "offsets: expected values within"),
        (TypeError, {"mirror": MIRROR.int()}, "mirror: expected a tensor of bools"),
        (ValueError, {"mirror": MIRROR[:3]}, r"mirror: expected shape \(N,\) = \(4,\)"),
        (ValueError, {"mean": MEAN[:2]}, "mean: expected a number or 3 of them"),
        (ValueError, {"mean": torch.zeros(2)}, r"mean: expected shape \(C,\) = \(3,\) or"),
        (TypeError, {"mean": torch.tensor([1, 2, 3])}, "mean: expected a floating dtype"),
        (ValueError, {"mean": torch.zeros(3, requires_grad=True)}, "mean: .* no gradient"),
        (ValueError, {"mean": torch.zeros(3, device="meta")}, "mean: expected a tensor on cpu"),
        (ValueError, {"mean": None}, "mean: expected a number or 3 of them, got NoneType"),
        (ValueError, {"mean": "abc"}, "mean: expected a number or 3 of them, got str"),
        (ValueError, {"scale": torch.ones(3)}, "scale: expected a number or 3 of them"),
        (ValueError, {"flow_channel": 3}, r"flow_channel: expected None or 0..2.*got 3"),
        (ValueError, {"frames": FRAMES[..., :2], "mean": 0.0}, "swap_rb: expected frames of 3 or"),
        (TypeError, {"dtype": torch.uint8}, "dtype: expected a floating dtype, got torch.uint8"),
        (ValueError, {"memory_format": torch.preserve_format}, "memory_format: expected"),
        (RuntimeError, {"backend": "triton"}, "backend 'triton' cannot run frames_to_input"),
    ],
)
def test_errors(error: type[Exception], options: dict[str, Any], words: str) -> None:
    with pytest.raises(error, match=f"(?s){words}"):
        call(**options)


@pytest.mark.parametrize("whole", [False, True])
def test_compile(whole: bool) -> None:
    """One graph for all numbers of frames, and with the whole frame for all sizes too."""
    options = {"size": None, "offsets": None} if whole else {}

    def run(frames: Tensor, offsets: Tensor, mirror: Tensor) -> Tensor:
        return call(frames, **{"offsets": offsets, "mirror": mirror, **options}) + 1

    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, dynamic=True)
    for count, columns in ((4, 30), (3, 30), (2, 25)):
        given = FRAMES[:count, :, :columns], OFFSETS[:count] // 2, MIRROR[:count]
        assert_bitwise_equal(compiled(*given).contiguous(), run(*given).contiguous(), "input")


def test_compiled_calls_refuse_windows_outside() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(call, fullgraph=True)
    with pytest.raises(RuntimeError, match="offsets"):
        compiled(FRAMES, offsets=OFFSETS + 1)


def test_export() -> None:
    class Front(torch.nn.Module):
        def forward(self, frames: Tensor, mirror: Tensor) -> Tensor:
            return call(frames, offsets=None, mirror=mirror, channel_dim=3)

    count, rows = Dim("N", min=2, max=64), Dim("Y", min=16, max=64)
    exported = torch.export.export(
        Front(), (FRAMES, MIRROR), dynamic_shapes=({0: count, 1: rows}, {0: count})
    )
    given = FRAMES[:3, :18], MIRROR[:3]
    assert_bitwise_equal(
        exported.module()(*given).contiguous(), Front()(*given).contiguous(), "input"
    )


def test_on_meta() -> None:
    frames = FRAMES.to("meta")
    result = functional.frames_to_input(frames, size=(16, 20), dtype=torch.bfloat16)
    assert result.shape == (4, 3, 16, 20) and result.dtype == torch.bfloat16
