"""What the emulator makes of a launch as a whole."""

import numpy as np
import pytest

from tests.emulator.module import emulator


@pytest.fixture(autouse=True)
def sm_90():
    yield
    emulator().set_compute_capability(90)


def cluster(hidden: int) -> np.ndarray:
    out = np.zeros((1, hidden), np.float32)
    w, gates = np.zeros((4 * hidden, hidden), np.float32), np.zeros((1, 4 * hidden), np.float32)
    emulator().cluster_lstm(w, gates, out, emulator().Push.STORE_PEER)
    return out


def test_a_launch_that_a_device_refuses() -> None:
    cluster(32)
    with pytest.raises(RuntimeError, match="kernel launch failed: .*cluster size"):
        cluster(32 * 17)
    emulator().set_compute_capability(80)
    with pytest.raises(RuntimeError, match="kernel launch failed: .*not supported: clusters"):
        cluster(64)


def test_launches_do_not_overlap_before_sm_90() -> None:
    emulator().set_compute_capability(80)
    fault = emulator().Fault.NO_PREVIOUS_WAIT
    out = np.zeros(1, np.float32)
    emulator().reduction(np.ones((1, 50), np.float32), out, fault)
    assert out[0] == 50


def test_a_seed_decides_on_the_order_of_everything() -> None:
    def report(seed: int) -> str:
        emulator().set_seed(seed)
        fault = emulator().Fault.NO_BLOCK_BARRIER
        with pytest.raises(RuntimeError) as error:
            emulator().reduction(np.ones((3, 300), np.float32), np.zeros(3, np.float32), fault)
        return str(error.value)

    assert report(1) == report(1)
    assert len({report(seed) for seed in range(6)}) > 1


def test_a_report_names_the_launch_and_the_thread() -> None:
    emulator().set_seed(0)
    with pytest.raises(
        RuntimeError, match=r"launch of lrcn_fast::kernels::Reduction: block \d thread \d+ \(warp"
    ):
        emulator().reduction(np.ones((3, 300), np.float32), np.zeros(2, np.float32))


def test_an_output_that_is_read_only_is_refused() -> None:
    out = np.zeros(1, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        emulator().reduction(np.ones((1, 50), np.float32), out)


def test_assorted_primitives() -> None:
    blocks, lanes = np.arange(4.0)[:, None], np.arange(32.0)
    x = np.random.default_rng(0).standard_normal(32).astype(np.float32)
    i, j = lanes // 4, 2 * (lanes % 4)
    every_second = np.where(lanes % 2 == 0, x, 0)
    rows = [
        100 * blocks + 0 * lanes,
        100 * ((blocks + 1) % 4) + 0 * lanes,
        100 * ((blocks + 2) % 4) + 0 * lanes,
        x + 0 * blocks,
        every_second + 0 * blocks,
        8 * i + j + 1000 * (8 * i + j + 1) + 0 * blocks,
        8 * j + i + 1000 * (8 * (j + 1) + i) + 0 * blocks,
        np.bitwise_xor(np.arange(32), 1) + 0 * blocks,
        5 + 0 * lanes + 0 * blocks,
        32 * (blocks + 1 - 2 * (blocks % 2)) + lanes,
    ]
    for seed in range(4):
        emulator().set_seed(seed)
        out = np.full((4, len(rows), 32), np.nan, np.float32)
        emulator().assorted(x, out, np.zeros(1, np.uint32), np.zeros(4, np.uint64))
        np.testing.assert_array_equal(out, np.stack(rows, axis=1).astype(np.float32))
