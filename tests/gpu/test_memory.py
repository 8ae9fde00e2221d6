"""GPU memory: from torch's allocator, all given back, little more than torch.nn.LSTM takes."""

import pytest
import torch

import lrcn_fast
from tests.gpu.modules import run
from tests.gpu.operators import RESULTS, build_on, forward_and_backward, named, operator, require
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = pytest.mark.gpu

# What a training step may take at most beside torch.nn.LSTM: we save the activations of all gates,
# and what cuDNN saves is its own affair.
PEAK_RATIO = 1.25


def allocated(which: str) -> int:
    """Bytes that torch's allocator has handed out, "current" or "peak"."""
    torch.cuda.synchronize()
    return int(torch.cuda.memory_stats()[f"allocated_bytes.all.{which}"])


def test_everything_is_given_back(backend: str, device: torch.device) -> None:
    require(backend, device, torch.float32, 64)
    module = lrcn_fast.LSTM(32, 64, num_layers=2, bidirectional=True, device=device)
    x = torch.randn(12, 9, 32, device=device)
    lengths = torch.randint(0, 13, (9,), device=device)

    def step() -> None:
        run(module, x, lengths=lengths, return_cells=True)
        module.zero_grad(set_to_none=True)

    with lrcn_fast.use_backend(backend):
        step()
        before = allocated("current")
        for _ in range(3):
            step()
        assert allocated("current") == before


def peak(module: torch.nn.Module, x: torch.Tensor) -> int:
    """Bytes beyond those that were there before, while a training step runs."""
    for _ in range(2):
        module.zero_grad(set_to_none=True)
        before = allocated("current")
        torch.cuda.reset_peak_memory_stats()
        output, _ = module(x)
        output.square().mean().backward()
        del output
    return allocated("peak") - before


@pytest.mark.parametrize("which", [torch.float32, torch.bfloat16], ids=str)
def test_peak_of_a_training_step(which: torch.dtype, device: torch.device) -> None:
    """Of the native kernels. The others hold copies for layouts that suit them."""
    require("native", device, which, 256)
    x = torch.randn(64, 32, 256, device=device, dtype=which)
    theirs = torch.nn.LSTM(256, 256, num_layers=2, device=device, dtype=which)
    ours = lrcn_fast.LSTM(256, 256, num_layers=2, device=device, dtype=which)
    with lrcn_fast.use_backend("native"):
        taken = peak(ours, x)
    torchs = peak(theirs, x)
    assert taken <= PEAK_RATIO * torchs, (
        f"{taken} bytes, above {PEAK_RATIO:g} x the {torchs} of torch.nn.LSTM"
    )


@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("name", ["plain", "all", "all_reverse", "all_large", "one_unit"])
def test_fresh_memory_is_written_and_inputs_are_not(
    name: str, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    operators = forward_and_backward(backend, device, dtype, named(name))
    tensors = build_on(device, named(name), dtype)
    expected = operators(tensors)
    assert all(result.isfinite().all() for result in expected)
    guards = Guards()
    guarded = tensors.map(guards.surround)
    with poisoned_memory():
        actual = operators(guarded)
    guards.check()
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


@pytest.mark.parametrize("lengths", [(-5, 3, 2**40, -(2**62), 9), (2**63 - 1, 0, -1, 8, 100)])
@pytest.mark.parametrize("name", ["all", "all_reverse"])
def test_lengths_out_of_range(
    name: str,
    lengths: tuple[int, ...],
    dtype: torch.dtype,
    backend: str,
    device: torch.device,
) -> None:
    """Nobody has looked at values on the device: they count as the nearest that are possible."""
    case = named(name)
    forward = operator("lstm_forward", backend, device, dtype, case)
    backward = operator("lstm_backward", backend, device, dtype, case)
    tensors = build_on(device, case, dtype)
    wild = torch.tensor(lengths, device=device)
    tensors.lengths = wild.clamp(0, case.T)
    expected = [*forward(*tensors.forward_arguments(), True, True)]
    expected += backward(*tensors.backward_arguments(expected[4], expected[3]))
    # Every second of these blocks is free again, so results lie between two that must not change.
    blocks = [torch.full((1024,), float("nan"), device=device) for _ in range(128)]
    blocks = blocks[::2]
    guards = Guards()
    guarded = tensors.map(guards.surround)
    guarded.lengths = wild
    actual = [*forward(*guarded.forward_arguments(), True, True)]
    actual += backward(*guarded.backward_arguments(actual[4], actual[3]))
    guards.check()
    assert all(block.isnan().all() for block in blocks)
    names = (*RESULTS, "grad_gates", "grad_h0", "grad_c0", "grad_hidden")
    for result, ours, theirs in zip(names, actual, expected, strict=True):
        assert_bitwise_equal(ours, theirs, result)
