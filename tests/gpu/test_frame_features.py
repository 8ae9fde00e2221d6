"""Features of frames on a GPU: the CPU's values, and the host waits at most once."""

import warnings

import pytest
import torch

from lrcn_fast.nn import FrameFeatures, HybridNet
from tests.gpu.test_sync import waiting_is_an_error
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]

T, B, SIZE = 4, 3, (69, 85)
LENGTHS = torch.tensor([4, 0, 2])


def features_on(device: torch.device) -> FrameFeatures:
    torch.manual_seed(4)
    net = HybridNet("fc6", width=1 / 12, image_size=SIZE).double().eval()
    return FrameFeatures(net.to(device), max_frames=2)


def test_values_of_the_cpu(device: torch.device) -> None:
    frames = torch.randn(T, B, 3, *SIZE, dtype=torch.float64)
    found = []
    for place in (torch.device("cpu"), device):
        features = features_on(place)
        result = features(frames.to(place), lengths=LENGTHS.to(place))
        gradients = torch.autograd.grad(result.square().sum(), [*features.parameters()])
        found.append([result.cpu(), *(gradient.cpu() for gradient in gradients)])
    for number, (theirs, ours) in enumerate(zip(*found, strict=True)):
        assert_equal_to_oracle(ours, theirs, f"result {number}", GRADIENT)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["all", "lengths on the CPU"])
def test_the_host_does_not_wait(lengths: torch.Tensor | None, device: torch.device) -> None:
    features = features_on(device)
    frames = torch.randn(T, B, 3, *SIZE, dtype=torch.float64, device=device)
    # Libraries are started at the first call.
    features(frames, lengths=lengths).sum().backward()
    with waiting_is_an_error():
        result = features(frames, lengths=lengths)
        result.sum().backward()
    assert bool(result.isfinite().all())


@pytest.mark.parametrize("name", ["lengths", "mask"])
def test_the_host_waits_once_for_what_lies_there(name: str, device: torch.device) -> None:
    features = features_on(device)
    frames = torch.randn(T, B, 3, *SIZE, dtype=torch.float64, device=device)
    values = {"lengths": LENGTHS, "mask": torch.arange(T).unsqueeze(1) < LENGTHS}
    padding = {name: values[name].to(device)}
    features(frames, **padding)
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            features(frames, **padding)
        finally:
            torch.cuda.set_sync_debug_mode(before)
    assert len([w for w in told if "synchronizing CUDA operation" in str(w.message)]) == 1
