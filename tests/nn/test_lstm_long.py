"""More than 65,535 steps, where cuDNN's index of steps ends."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lrcn_fast
from tests.helpers.tolerance import assert_bitwise_equal

STEPS = 70_000


def gradients(rnn: lrcn_fast.LSTM, output: torch.Tensor) -> list[torch.Tensor]:
    # The last steps alone, so that the gradient passes whatever comes after step 65,535.
    return list(torch.autograd.grad(output[-10:].square().sum(), list(rnn.parameters())))


@pytest.mark.parametrize("every", [None, 4096])
def test_the_end_is_that_of_the_end_alone(every: int | None) -> None:
    rnn = lrcn_fast.LSTM(2, 3, recompute_every=every)
    x = torch.randn(STEPS, 2, 2)
    with torch.no_grad():
        _, hx = rnn(x[:66_000])
    output, (h_n, c_n) = rnn(x)
    end, (h_end, c_end) = rnn(x[66_000:], hx)
    for mine, other in ((output[66_000:], end), (h_n, h_end), (c_n, c_end)):
        torch.testing.assert_close(mine, other)
    # Nothing of step 66,000 is left in the last steps.
    for mine, other in zip(gradients(rnn, output), gradients(rnn, end), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_packed() -> None:
    rnn, lengths = lrcn_fast.LSTM(2, 3), torch.tensor([STEPS, 65_536])
    x = torch.randn(STEPS, 2, 2)
    packed, states = rnn(pack_padded_sequence(x, lengths))
    expected, others = rnn(x, lengths=lengths)
    output, _ = pad_packed_sequence(packed)
    for mine, other in zip((output, *states), (expected, *others), strict=True):
        assert_bitwise_equal(mine, other, "result")
    packed_gradients, wanted = gradients(rnn, output), gradients(rnn, expected)
    for mine, other in zip(packed_gradients, wanted, strict=True):
        torch.testing.assert_close(mine, other)
