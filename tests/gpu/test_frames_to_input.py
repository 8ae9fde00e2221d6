"""frames_to_input on the GPU: the bits of its definition there."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.gpu.operators import require_op
from tests.gpu.test_sync import waiting_is_an_error
from tests.helpers.frames import FRAME_CASES, FrameCase, build_frames
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]

OFFSETS = 1
ROWS = [
    *FRAME_CASES,
    FrameCase("caffenet", 16, (240, 320), (227, 227), mirror=True, swap_rb=True),
    FrameCase("vgg", 16, (224, 224), (224, 224), offsets=False),
]


def on(device: torch.device, case: FrameCase, dtype: torch.dtype) -> list[Any]:
    """The arguments on the GPU, under the same strides."""
    arguments = build_frames(case, dtype)
    return [x.to(device) if isinstance(x, Tensor) else x for x in arguments]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case(case: FrameCase, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    op = require_op("frames_to_input", backend, device, dtype)
    arguments = on(device, case, dtype)
    if case.N == 4 and arguments[OFFSETS] is not None:
        # On a GPU they are moved inside.
        arguments[OFFSETS] = 3 * arguments[OFFSETS] - 4
    with poisoned_memory():
        actual = op(*arguments)
    expected = reference.frames_to_input(*arguments)
    assert actual.stride() == expected.stride()
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), str(case))


@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_opcheck(case: FrameCase, backend: str, device: torch.device) -> None:
    op = require_op("frames_to_input", backend, device, torch.float32)
    torch.library.opcheck(op, on(device, case, torch.float32))


def test_the_host_does_not_wait(backend: str, device: torch.device) -> None:
    op = require_op("frames_to_input", backend, device, torch.bfloat16)
    arguments = on(device, ROWS[-2], torch.bfloat16)
    op(*arguments)
    with waiting_is_an_error():
        op(*arguments)
