"""torch.autocast and GradScaler on the GPU."""

import pytest
import torch

import lrcn_fast
from tests.gpu.operators import require
from tests.helpers.tolerance import assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

HALVES = pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)


@HALVES
def test_values_are_those_of_the_half_module(
    half: torch.dtype, backend: str, device: torch.device
) -> None:
    require(backend, device, half, 24)
    module = lrcn_fast.LSTM(16, 24, num_layers=2, device=device)
    x = torch.randn(7, 3, 16, device=device)
    with torch.autocast(device.type, half), lrcn_fast.use_backend(backend):
        actual = module(x)[0]
    theirs = torch.nn.LSTM(16, 24, num_layers=2, device=device)
    theirs.load_state_dict(module.state_dict())
    exact = torch.nn.LSTM(16, 24, num_layers=2, device=device, dtype=torch.float64)
    exact.load_state_dict(module.state_dict())
    assert actual.dtype == half
    torchs = theirs.to(half)(x.to(half))[0]
    assert_no_worse_than_torch(actual, torchs, exact(x.double())[0], "output")


@HALVES
def test_gradients_have_the_parameters_dtype(
    half: torch.dtype, backend: str, device: torch.device
) -> None:
    require(backend, device, half, 8, 5)
    module = lrcn_fast.LSTM(6, 8, 2, bidirectional=True, proj_size=5, static_size=3, device=device)
    x = torch.randn(5, 3, 6, device=device, requires_grad=True)
    hx = (torch.randn(4, 3, 5, device=device), torch.randn(4, 3, 8, device=device))
    with torch.autocast(device.type, half), lrcn_fast.use_backend(backend):
        output, (h_n, c_n), cells = module(
            x,
            hx,
            static=torch.randn(3, 3, device=device),
            cont=torch.rand(5, 3, device=device) > 0.3,
            lengths=torch.tensor([5, 0, 2], device=device),
            return_cells=True,
        )
    assert {t.dtype for t in (output, h_n, c_n, cells)} == {half}
    (output.float().sum() + cells.float().sum()).backward()
    for name, parameter in [("input", x), *module.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


def test_grad_scaler(backend: str, device: torch.device) -> None:
    """Float16 training: a step that overflows is left out, the others learn."""
    require(backend, device, torch.float16, 32)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), lrcn_fast.LSTM(16, 32, num_layers=2)).to(
        device
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler(device.type, init_scale=2.0**40)
    x = torch.randn(10, 16, 8, device=device)
    target = x.mean(2, keepdim=True).cumsum(0).tanh()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    losses = []
    with lrcn_fast.use_backend(backend):
        for _ in range(60):
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.float16):
                loss = (model(x)[0][..., :1].float() - target).square().mean()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            if not losses:
                unchanged = zip(before, model.parameters())
                assert all(torch.equal(old, new) for old, new in unchanged), "no overflow seen"
            scaler.update()
            losses.append(float(loss.detach()))
    assert scaler.get_scale() < 2.0**40
    assert losses[-1] < losses[0] / 2
