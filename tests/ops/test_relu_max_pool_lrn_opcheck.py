"""torch.library.opcheck of relu_max_pool_lrn on every case row."""

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from tests.helpers.maps import CASES, FORMATS, MapCase, build, saved_values

OPS = torch.ops.lrcn_fast


@pytest.mark.parametrize(
    "form, suffix",
    [*((form, "") for form in FORMATS), (torch.channels_last, "_reference")],
    ids=str,
)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_row(case: MapCase, lrn_first: bool, form: torch.memory_format, suffix: str) -> None:
    x, grad, options = build(case, torch.float32, form, lrn_first)
    forward = getattr(OPS, f"relu_max_pool_lrn_forward{suffix}").default
    backward = getattr(OPS, f"relu_max_pool_lrn_backward{suffix}").default
    with torch.no_grad():
        _, pooled, index = forward(x, *options, True)
    values = saved_values(x, pooled, options)
    torch.library.opcheck(backward, (grad, values, index, *x.shape[2:], *options))
    torch.library.opcheck(forward, (x.clone().requires_grad_(), *options, True))


@pytest.mark.parametrize("save", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_dtypes(dtype: torch.dtype, save: bool) -> None:
    x, _, options = build(CASES[0], dtype, torch.channels_last)
    torch.library.opcheck(
        OPS.relu_max_pool_lrn_forward.default,
        (x, *options, save),
        test_utils=("test_schema", "test_faketensor"),
    )
