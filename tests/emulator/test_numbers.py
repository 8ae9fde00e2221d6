"""Conversions of numbers against NumPy's and torch's."""

import numpy as np
import pytest
import torch

from tests.emulator.module import emulator

EVERY_16_BITS = np.arange(1 << 16, dtype=np.uint16)


def floats() -> np.ndarray:
    """Floats of every exponent, many halfway between two values of 16 bits, and the odd ones."""
    bits = np.random.default_rng(0).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    ties = np.concatenate([bits & 0xFFFFF000, bits & 0xFFFFE000, bits & 0xFFFF8000])
    odd = np.array([0, 1, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x33000000, 0x33000001, 0x477FF000])
    return np.concatenate([bits, ties, odd.astype(np.uint32)]).view(np.float32)


def same_bits(actual: np.ndarray, expected: np.ndarray, nan: np.ndarray) -> bool:
    return bool((actual[~nan] == expected[~nan]).all()) and bool((actual[nan] == 0x7FFF).all())


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_to_half() -> None:
    values = floats()
    expected = values.astype(np.float16).view(np.uint16)
    assert same_bits(emulator().float_to_half(values), expected, np.isnan(values))


def test_to_bfloat16() -> None:
    values = floats()
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()
    assert same_bits(emulator().float_to_bfloat16(values), expected, np.isnan(values))


def test_to_float() -> None:
    bits = EVERY_16_BITS
    halves = emulator().half_to_float(bits)
    assert np.array_equal(halves, bits.view(np.float16).astype(np.float32), equal_nan=True)
    bfloats = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
    assert np.array_equal(emulator().bfloat16_to_float(bits), bfloats, equal_nan=True)
    assert np.signbit(halves[0x8000]) and np.signbit(halves[0x8001])


def test_to_tf32() -> None:
    values = floats()
    bits = emulator().float_to_tf32(values)
    finite = np.isfinite(values)
    assert not (bits[finite] & 0x1FFF).any()
    exact = values[finite].astype(np.float64)
    with np.errstate(over="ignore"):
        rounded = bits[finite].view(np.float32).astype(np.float64)
    ulp = np.ldexp(1.0, np.maximum(np.frexp(exact)[1] - 11, -126 - 10))
    error = rounded - exact
    inside = np.isfinite(rounded)
    assert (np.abs(error[inside]) <= ulp[inside] / 2).all()
    ties = inside & (np.abs(error) == ulp / 2)
    assert ties.any() and (np.abs(rounded[ties]) > np.abs(exact[ties])).all()
    assert emulator().float_to_tf32(np.array([np.inf], np.float32))[0] == 0x7F800000
