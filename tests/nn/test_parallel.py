"""DistributedDataParallel with gloo: gradients are the mean over the ranks."""

import os
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

import lrcn_fast

WORLD = 2


def batch(rank: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rank)
    x = torch.randn(4, 2, 3, generator=generator, dtype=torch.float64)
    return x, torch.rand(4, 2, generator=generator) > 0.3


def network() -> lrcn_fast.LSTM:
    torch.manual_seed(0)
    return lrcn_fast.LSTM(3, 5, num_layers=2, bidirectional=True, dtype=torch.float64)


def loss(module: torch.nn.Module, rank: int) -> Tensor:
    x, cont = batch(rank)
    output, (h_n, _), cells = module(x, cont=cont, return_cells=True)
    return output.sum() + h_n.square().sum() + cells.sum()


def work(rank: int, folder: str) -> None:
    """One rank: a backward pass, then its gradients to a file."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD
    )
    module = DistributedDataParallel(network())
    loss(module, rank).backward()
    torch.save([p.grad for p in module.parameters()], os.path.join(folder, f"{rank}.pt"))
    dist.destroy_process_group()


def test_gradients_are_the_mean_over_ranks(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, args=(str(tmp_path),), nprocs=WORLD)
    module = network()
    (sum(loss(module, rank) for rank in range(WORLD)) / WORLD).backward()
    for rank in range(WORLD):
        found = torch.load(tmp_path / f"{rank}.pt")
        for mine, parameter in zip(found, module.parameters(), strict=True):
            torch.testing.assert_close(mine, parameter.grad, rtol=0, atol=1e-12)
