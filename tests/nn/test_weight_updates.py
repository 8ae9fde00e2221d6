"""Changed weights are seen by the next call; threads and forked processes share a module."""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import lrcn_fast
from lrcn_fast.decoding import beam_search
from tests.decoding.networks import captioner, images
from tests.helpers.tolerance import assert_bitwise_equal


def network() -> lrcn_fast.LSTM:
    return lrcn_fast.LSTM(6, 40, num_layers=2)


def results(module: nn.Module, x: Tensor) -> list[Tensor]:
    state = torch.ones(2, x.shape[1], 40)
    with torch.no_grad():
        output, (h_n, c_n) = module(x, (state, state))
    return [output, h_n, c_n]


def threads() -> ThreadPoolExecutor:
    """Four, each as much on its own as the test: torch counts threads in each."""
    return ThreadPoolExecutor(4, initializer=torch.set_num_threads, initargs=(1,))


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for number, (mine, other) in enumerate(zip(found, expected, strict=True)):
        assert_bitwise_equal(mine, other, f"result {number}")


def multiplied(module: lrcn_fast.LSTM) -> None:
    with torch.no_grad():
        module.weight_hh_l0.mul_(1.5)


def copied(module: lrcn_fast.LSTM) -> None:
    module.weight_hh_l1.data.copy_(torch.randn(160, 40))


def pointed_elsewhere(module: lrcn_fast.LSTM) -> None:
    module.weight_hh_l0.data = torch.randn(160, 40)


def exchanged(module: lrcn_fast.LSTM) -> None:
    module.weight_hh_l0, module.weight_hh_l1 = module.weight_hh_l1, module.weight_hh_l0


def loaded(module: lrcn_fast.LSTM) -> None:
    module.load_state_dict({k: torch.randn_like(v) for k, v in module.state_dict().items()})


def trained(module: lrcn_fast.LSTM) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    module(torch.randn(3, 2, 6))[0].sum().backward()
    optimizer.step()


CHANGES = [multiplied, copied, pointed_elsewhere, exchanged, loaded, trained]


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_change_is_seen(
    change: Callable[[lrcn_fast.LSTM], None], compiled: bool, steps: int
) -> None:
    module, x = network(), torch.randn(steps, 2, 6)
    torch._dynamo.reset()

    def called(module: nn.Module) -> nn.Module:
        if not compiled:
            return module
        return torch.compile(module, backend="aot_eager", fullgraph=True)

    call = called(module)
    before = results(call, x)
    change(module)
    after = results(call, x)
    assert_same(after, results(called(copy.deepcopy(module)), x))
    assert not torch.equal(after[0], before[0])


@pytest.mark.parametrize("steps", [1, 5])
def test_functional_call_uses_what_it_is_given(steps: int) -> None:
    module, other, x = network(), network(), torch.randn(steps, 2, 6)
    mine = results(module, x)
    given = dict(other.named_parameters())

    class Called(nn.Module):
        def forward(self, *arguments: Any) -> Any:
            return torch.func.functional_call(module, given, arguments)

    assert_same(results(Called(), x), results(other, x))
    assert_same(results(module, x), mine)


@pytest.mark.parametrize("steps", [1, 5])
def test_threads_share_a_module(steps: int) -> None:
    module = network()
    inputs = [torch.randn(steps, 1 + n % 5, 6) for n in range(32)]
    expected = [results(module, x) for x in inputs]
    with threads() as pool:
        for found, alone in zip(pool.map(lambda x: results(module, x), inputs), expected):
            assert_same(found, alone)


def test_threads_share_a_captioner() -> None:
    model = captioner("2f").eval()
    inputs = [images("2f") for _ in range(12)]
    expected = [beam_search(model, x, 3, 5) for x in inputs]
    fresh = captioner("2f").eval()
    with threads() as pool:
        for found, alone in zip(pool.map(lambda x: beam_search(fresh, x, 3, 5), inputs), expected):
            assert torch.equal(found.tokens, alone.tokens)
            assert_bitwise_equal(found.log_probs, alone.log_probs, "log_probs")


class Outputs(Dataset[Tensor]):
    """What a module gives in whichever process asks for it."""

    def __init__(self, module: lrcn_fast.LSTM, inputs: Tensor) -> None:
        self.module, self.inputs = module, inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Tensor:
        return results(self.module, self.inputs[index])[0]


@pytest.mark.parametrize("steps", [1, 9])
def test_forked_workers_go_on(steps: int) -> None:
    """After the parent ran on two threads, which a fork does not take along."""
    data = Outputs(network(), torch.randn(6, steps, 4, 6))
    torch.set_num_threads(2)
    expected = [data[n] for n in range(len(data))]
    loader = DataLoader(
        data, batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60
    )
    assert_same(list(loader), expected)
