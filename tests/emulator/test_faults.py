"""The emulator finds what is wrong with a kernel, and nothing wrong with the right ones.

Every kernel of ``kernels/`` runs with several orders of its threads: as it is, and with each fault.
A fault is found by a report or by a wrong result.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.emulator.arrays import to_numpy
from tests.emulator.module import emulator

SEEDS = range(4)
RANDOM = np.random.default_rng(0)
Kernel = Callable[..., tuple[np.ndarray, np.ndarray]]


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def nans(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, np.float32)


def reduction(columns: int = 300, results: int = 3, **fault: object) -> tuple[np.ndarray, ...]:
    x, out = normal(3, columns), nans(results)
    emulator().reduction(x, out, **fault)
    return out, x.astype(np.float64).sum(1)


def product(dtype: torch.dtype, **fault: object) -> tuple[np.ndarray, ...]:
    a, b, out = torch.randn(16, 64).to(dtype), torch.randn(8, 64).to(dtype), nans(16, 8)
    emulator().product(to_numpy(a), to_numpy(b), out, **fault)
    return out, (a.double() @ b.double().T).numpy()


def exchange(by_words: bool, **fault: object) -> tuple[np.ndarray, ...]:
    n, steps = 128, 6
    w, h, out = normal(n, n) / np.sqrt(n, dtype=np.float32), normal(n), nans(n)
    emulator().exchange(w, h, steps, by_words, out, **fault)
    expected = h.astype(np.float64)
    for _ in range(steps):
        expected = np.tanh(w.astype(np.float64) @ expected)
    return out, expected


def cluster(push: str, **fault: object) -> tuple[np.ndarray, ...]:
    steps, hidden = 5, 128
    w = normal(4 * hidden, hidden) / np.sqrt(hidden, dtype=np.float32)
    gates, out = normal(steps, 4 * hidden), nans(steps, hidden)
    emulator().cluster_lstm(w, gates, out, getattr(emulator().Push, push), **fault)
    h, c, expected = np.zeros(hidden), np.zeros(hidden), []
    for t in range(steps):
        i, f, g, o = (gates[t] + w.astype(np.float64) @ h).reshape(4, hidden)
        sigmoid_i, sigmoid_f, sigmoid_o = (1 / (1 + np.exp(-x)) for x in (i, f, o))
        c = sigmoid_f * c + sigmoid_i * np.tanh(g)
        h = sigmoid_o * np.tanh(c)
        expected.append(h)
    return out, np.array(expected)


def copies(bulk: bool, **fault: object) -> tuple[np.ndarray, ...]:
    # The last tile is not full; without bulk copies, neither are its last 16 bytes.
    x = normal(300 if bulk else 301)
    out = nans(len(x))
    emulator().copies(x, out, bulk, **fault)
    return out, 2 * x


def overlap(**fault: object) -> tuple[np.ndarray, ...]:
    x, out = normal(64), nans(64)
    emulator().overlap(x, out, **fault)
    return out, 3 * x


KERNELS: dict[str, tuple[Kernel, tuple[object, ...], float]] = {
    "reduction": (reduction, (), 1e-4),
    "short reduction": (reduction, (100,), 1e-4),
    "reduction into a small buffer": (reduction, (300, 2), 1e-4),
    "reduction into a large buffer": (reduction, (300, 4), 1e-4),
    "product of fp16": (product, (torch.float16,), 1e-4),
    "product of bf16": (product, (torch.bfloat16,), 1e-4),
    # A sum of 64 products of numbers around 1, each rounded by at most 2^-11 of its size.
    "product of tf32": (product, (torch.float32,), 0.02),
    "exchange by flags": (exchange, (False,), 1e-5),
    "exchange by words": (exchange, (True,), 1e-5),
    "cluster, store_async": (cluster, ("STORE_ASYNC",), 1e-5),
    "cluster, store_peer": (cluster, ("STORE_PEER",), 1e-5),
    "cluster, bulk copies": (cluster, ("BULK",), 1e-5),
    "copy_async": (copies, (False,), 0.0),
    "bulk copies": (copies, (True,), 0.0),
    "overlapping launches": (overlap, (), 1e-6),
}
RIGHT = [name for name in KERNELS if "buffer" not in name]

RACE = "race at"
WRONG = "wrong result"
FAULTS = [
    ("reduction", "NO_BLOCK_BARRIER", RACE + " shared memory"),
    ("reduction", "NO_WARP_BARRIER", RACE + " shared memory"),
    ("reduction", "DIVERGENT_SHUFFLE", "warp divergence: calls shuffle_down while .* shuffle_xor"),
    ("short reduction", "LEAVES_EARLY", "warp divergence"),
    ("reduction", "WARP_LEAVES_EARLY", "barrier divergence"),
    ("reduction", "BARRIER_IN_BRANCH", "barrier divergence|deadlock.*\n.*block_barrier"),
    ("reduction", "WRITES_INPUT", "global store to read-only global buffer 'in' byte 0"),
    ("reduction", "WRITES_CONSTANT", "store to .* 'out' .* read by load_constant"),
    ("reduction", "SMALL_SHARED", "out of bounds: shared store of 4 bytes at byte 52."),
    ("reduction into a small buffer", "NONE", "out of bounds: global store .* 'out'"),
    ("reduction into a large buffer", "MISALIGNED", "misaligned store of 4 bytes .* 'out'"),
    ("reduction", "NO_PREVIOUS_WAIT", "before wait_for_previous_launch"),
    ("product of fp16", "WRONG_LANES", WRONG),
    ("product of bf16", "WRONG_ROWS", WRONG),
    ("product of fp16", "NO_WARP_BARRIER", RACE + " shared memory"),
    ("product of tf32", "WRONG_LANES", WRONG),
    ("exchange by flags", "NO_BLOCK_BARRIER", RACE + " global buffer 'h'"),
    ("exchange by flags", "FLAG_FIRST", RACE + " global buffer 'h'"),
    ("exchange by flags", "NO_RELEASE", RACE + " global buffer 'h'"),
    ("exchange by flags", "NO_FENCE", RACE + " global buffer 'h'"),
    ("exchange by flags", "NO_ACQUIRE", RACE + " global buffer 'h'"),
    ("exchange by flags", "PLAIN_POLL", RACE + " global buffer 'flags'"),
    ("exchange by flags", "SWAPPED_BUFFERS", RACE + " global buffer 'h'"),
    ("exchange by flags", "CONSTANT_OF_WRITTEN", "load_constant of .* wrote in the same launch"),
    ("exchange by flags", "LEAVES_EARLY", "deadlock.*\n.*polling global buffer 'flags' byte 0"),
    ("exchange by words", "TORN_WORDS", WRONG),
    ("exchange by words", "SWAPPED_BUFFERS", "deadlock.*\n.*polling global buffer 'words'"),
    ("cluster, store_async", "WRONG_PARITY", RACE + " shared memory"),
    ("cluster, store_async", "WRONG_BYTES", RACE + " shared memory"),
    ("cluster, store_async", "SWAPPED_BUFFERS", RACE + " shared memory"),
    ("cluster, store_async", "BLOCK_SCOPE", RACE + " shared memory"),
    ("cluster, store_async", "LEAVES_EARLY", "block 1.*, which has ended"),
    ("cluster, store_peer", "NO_CLUSTER_BARRIER", "block . of the cluster before .* has begun"),
    ("cluster, store_peer", "FLAG_FIRST", RACE + " shared memory"),
    ("cluster, store_peer", "WRONG_PARITY", RACE + " shared memory"),
    ("cluster, store_peer", "BLOCK_SCOPE", RACE + " shared memory"),
    ("cluster, bulk copies", "NO_BLOCK_BARRIER", RACE + " shared memory"),
    ("cluster, bulk copies", "NO_ASYNC_FENCE", "without fence_async_copy"),
    ("copy_async", "NO_COPY_WAIT", "copy_async_wait is missing"),
    ("copy_async", "SWAPPED_BUFFERS", RACE + " shared memory"),
    ("copy_async", "NO_BLOCK_BARRIER", RACE + " shared memory"),
    ("overlapping launches", "CONSTANT_OF_PREVIOUS", "'middle' .*, which a launch before wrote"),
    ("bulk copies", "NO_COPY_WAIT", RACE + " shared memory .* asynchronous copy"),
    ("bulk copies", "SWAPPED_BUFFERS", RACE + " shared memory"),
    ("bulk copies", "NO_ASYNC_FENCE", "without fence_async_copy"),
    ("bulk copies", "WRONG_PARITY", RACE + " shared memory"),
    ("bulk copies", "WRONG_BYTES", "deadlock.*\n.*mbarrier_wait .* needs 0 arrivals and 16 bytes"),
]


def run(name: str, **fault: object) -> None:
    kernel, arguments, bound = KERNELS[name]
    actual, expected = kernel(*arguments, **fault)
    error = np.abs(actual - expected).max()
    if not error <= bound:
        raise RuntimeError(f"{WRONG}: error {error}")


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_found_in_a_right_kernel(name: str) -> None:
    for seed in SEEDS:
        emulator().set_seed(seed)
        run(name)


@pytest.mark.parametrize("name, fault, report", FAULTS, ids=[f"{k}-{f}" for k, f, _ in FAULTS])
def test_a_fault_is_found(name: str, fault: str, report: str) -> None:
    for seed in SEEDS:
        emulator().set_seed(seed)
        try:
            run(name, fault=getattr(emulator().Fault, fault))
        except RuntimeError as error:
            message = error
            break
    else:
        pytest.fail("not found")
    with pytest.raises(RuntimeError, match=report):
        raise message


def test_operands_that_are_not_rounded_to_tf32_lose_bits() -> None:
    def error(fault: str) -> float:
        torch.manual_seed(0)
        out, expected = product(torch.float32, fault=getattr(emulator().Fault, fault))
        return float(np.square(out - expected).mean())

    assert error("NOT_ROUNDED") > 2 * error("NONE")
