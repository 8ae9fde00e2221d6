"""The one place that says how far a result may be from the truth.

A result computed in some dtype is compared with the same computation in float64. Its error may be
at most twice the error of PyTorch's own operations in the same dtype, plus a floor of a few
units in the last place of the largest value, because torch's error can be zero by luck.
"""

import torch
from torch import Tensor

FORWARD = 1e-12
"""Bound on float64 loop against an independent float64 implementation, forward."""

GRADIENT = 1e-10
"""The same bound for gradients, which sum over steps and rows."""

SCORES = 1e-10
"""Bound on caption scores against pycocoevalcap's, which adds 1e-9 to the counts of BLEU."""

CAFFE_FLOAT = 1e-5
"""Bound on a float32 net against the original Caffe's, of the largest magnitude of a blob."""

ALLOWED_RATIO = 2.0
FLOOR_EPS = 4.0


def floor_eps_of(tf32: int) -> float:
    """The floor of float32 results whose recurrent product is made of TF32 products.

    Torch on the CPU has none, so its own error says nothing of them: the floor is counted in units
    in the last place of what the product keeps of float32's 24 bits of each operand.

    Args:
        tf32: TF32 products for each product: 0 for none, 1 keeps 11 bits, 3 keep 22.
    """
    kept = {0: 24, 1: 11, 3: 22}[tf32]
    return FLOOR_EPS * float(2 ** (24 - kept))


def _check_same_form(actual: Tensor, expected: Tensor, name: str) -> None:
    assert isinstance(actual, Tensor), f"{name}: expected a tensor, got {type(actual)}"
    assert actual.shape == expected.shape, (
        f"{name}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
    )


def max_error(actual: Tensor, exact: Tensor) -> float:
    """Largest absolute difference to float64 values; NaN counts as infinite."""
    if actual.numel() == 0:
        return 0.0
    difference = (actual.detach().double() - exact.detach().double()).abs()
    return float(difference.nan_to_num(nan=float("inf")).max())


def assert_no_worse_than_torch(
    actual: Tensor,
    torch_result: Tensor,
    exact: Tensor,
    name: str,
    floor_eps: float = FLOOR_EPS,
    scale: float = 0.0,
) -> None:
    """Error of ``actual`` at most twice that of ``torch_result``, both against float64 ``exact``.

    The floor is ``floor_eps`` units in the last place of the largest exact value, or of ``scale``
    where the values are differences of numbers of that size. Two float64 results cannot be told
    from the truth by a third one: they are compared as oracles are.
    """
    _check_same_form(actual, exact, name)
    _check_same_form(torch_result, exact, name)
    assert actual.dtype == torch_result.dtype, (
        f"{name}: dtype {actual.dtype}, expected {torch_result.dtype}"
    )
    assert exact.dtype == torch.float64, f"{name}: the exact values must be float64"
    if actual.numel() == 0:
        return
    if actual.dtype == torch.float64:
        assert_equal_to_oracle(actual, exact, name)
        return
    magnitude = max(scale, float(exact.detach().abs().max()))
    floor = floor_eps * torch.finfo(actual.dtype).eps * magnitude
    error, torch_error = max_error(actual, exact), max_error(torch_result, exact)
    bound = ALLOWED_RATIO * torch_error + floor
    assert error <= bound, (
        f"{name}: error {error:.3g} above the bound {bound:.3g} "
        f"({ALLOWED_RATIO:g} x torch's {torch_error:.3g} + floor {floor:.3g}, {actual.dtype})"
    )


def rms_error(actual: Tensor, exact: Tensor) -> float:
    """Root of the mean square difference to float64 values."""
    return float((actual.detach().double() - exact.detach().double()).square().mean().sqrt())


def assert_mean_error_no_worse_than_torch(
    actual: Tensor, torch_result: Tensor, exact: Tensor, name: str
) -> None:
    """The root mean square error at most twice torch's, with no floor: for many values."""
    error, torch_error = rms_error(actual, exact), rms_error(torch_result, exact)
    assert error <= ALLOWED_RATIO * torch_error, (
        f"{name}: root mean square error {error:.3g} against torch's {torch_error:.3g}"
    )


def assert_equal_to_oracle(
    actual: Tensor, expected: Tensor, name: str, bound: float = FORWARD
) -> None:
    """Two float64 implementations of the same formula agree to ``bound`` of the magnitude."""
    _check_same_form(actual, expected, name)
    if expected.numel() == 0:
        return
    magnitude = max(1.0, float(expected.detach().abs().max()))
    error = max_error(actual, expected)
    assert error <= bound * magnitude, f"{name}: error {error:.3g} above {bound * magnitude:.3g}"


def assert_close_to_largest(
    actual: Tensor, expected: Tensor, name: str, bound: float = FORWARD
) -> None:
    """As two implementations of one formula, relative to the largest magnitude however small."""
    scale = expected.detach().abs().max()
    assert_equal_to_oracle(actual / scale, expected / scale, name, bound)


def assert_bitwise_equal(actual: Tensor, expected: Tensor, name: str) -> None:
    """Same shape, dtype and bits, those of zeros and NaNs too."""
    _check_same_form(actual, expected, name)
    assert actual.dtype == expected.dtype, f"{name}: dtype {actual.dtype} against {expected.dtype}"
    integers = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    width = integers[actual.dtype.itemsize]
    differing = actual.detach().view(width) != expected.detach().view(width)
    assert not differing.any(), f"{name}: bits of {int(differing.sum())} values differ"
