"""lrcn_fast.functional.relu_max_pool_lrn as users call it."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch.export import Dim
from torch.nn import functional

import lrcn_fast
from lrcn_fast import backends
from lrcn_fast.functional import relu_max_pool_lrn
from tests.helpers.maps import FORMATS, draw
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

SIZE = (3, 12, 13, 11)


def caffenet(x: Tensor) -> Tensor:
    pooled = functional.max_pool2d(x.relu(), 3, 2, ceil_mode=True)
    return functional.local_response_norm(pooled, 5, 1e-4, 0.75, 1.0)


def alexnet(x: Tensor) -> Tensor:
    normalized = functional.local_response_norm(x.relu(), 5, 1e-4, 0.75, 1.0)
    return functional.max_pool2d(normalized, 3, 2, ceil_mode=True)


VARIANTS: dict[str, tuple[dict[str, Any], Any]] = {
    "caffenet": ({}, caffenet),
    "alexnet": ({"order": "lrn_pool"}, alexnet),
    "pool5": ({"lrn_size": None}, lambda x: functional.max_pool2d(x.relu(), 3, 2, ceil_mode=True)),
    "no_relu": ({"relu": False, "lrn_size": None, "kernel_size": 2, "ceil_mode": False},
                lambda x: functional.max_pool2d(x, 2, 2)),
    "lrn": ({"relu": False, "kernel_size": None, "lrn_size": 3, "alpha": 0.2, "beta": 0.5, "k": 2},
            lambda x: functional.local_response_norm(x, 3, 0.2, 0.5, 2.0)),
    "relu": ({"kernel_size": None, "lrn_size": None}, torch.relu),
    "pairs": ({"kernel_size": (2, 3), "stride": (1, 2), "lrn_size": None, "relu": False},
              lambda x: functional.max_pool2d(x, (2, 3), (1, 2), ceil_mode=True)),
}  # fmt: skip


@pytest.mark.parametrize("backend", [None, "native", "reference"])
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("name", VARIANTS)
def test_against_torch(name: str, form: torch.memory_format, backend: str | None) -> None:
    options, in_torch = VARIANTS[name]
    x = draw(SIZE, torch.float64, form, 1).requires_grad_()
    actual, expected = relu_max_pool_lrn(x, **options, backend=backend), in_torch(x)
    assert actual.is_contiguous(memory_format=form) and actual.dtype == x.dtype
    assert_equal_to_oracle(actual, expected, "output")
    grad = draw(tuple(expected.shape), torch.float64, torch.contiguous_format, 2)
    found, wanted = (torch.autograd.grad(y, x, grad)[0] for y in (actual, expected))
    assert found.is_contiguous(memory_format=form)
    assert_equal_to_oracle(found, wanted, "grad_x", GRADIENT)


def kept(call: Any) -> int:
    """Bytes that the graph of a call's result holds, without what the caller holds."""
    x = draw(SIZE, torch.float32, torch.channels_last, 1).requires_grad_()
    sizes: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        if saved.data_ptr() != x.data_ptr():
            sizes[saved.data_ptr()] = saved.numel() * saved.element_size()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        call(x)
    return sum(sizes.values())


def test_memory_kept_for_the_backward() -> None:
    """The pooled values and a byte each; or beside the input that byte alone."""
    pooled = 3 * 12 * 6 * 5
    assert kept(relu_max_pool_lrn) == pooled * (4 + 1)
    assert kept(lambda x: relu_max_pool_lrn(x, order="lrn_pool")) == pooled
    assert kept(lambda x: relu_max_pool_lrn(x, lrn_size=None)) == pooled
    assert kept(lambda x: relu_max_pool_lrn(x, kernel_size=None)) == 0


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_meta_keeps_the_format(form: torch.memory_format) -> None:
    x = torch.empty(SIZE, device="meta", memory_format=form, requires_grad=True)
    output = relu_max_pool_lrn(x)
    assert output.shape == (3, 12, 6, 5) and output.is_contiguous(memory_format=form)
    output.backward(torch.empty_like(output))
    assert x.grad is not None and x.grad.is_contiguous(memory_format=form)


def test_no_frames() -> None:
    x = torch.empty(0, 12, 13, 11, requires_grad=True)
    output = relu_max_pool_lrn(x)
    assert output.shape == (0, 12, 6, 5)
    output.sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_autocast_leaves_the_dtype(dtype: torch.dtype) -> None:
    x = draw(SIZE, dtype, torch.contiguous_format, 1).requires_grad_()
    expected = relu_max_pool_lrn(x)
    with torch.autocast("cpu", torch.float16):
        actual = relu_max_pool_lrn(x)
    assert actual.dtype == dtype and torch.equal(actual, expected)
    actual.float().sum().backward()
    assert x.grad is not None and x.grad.dtype == dtype


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("name", ["caffenet", "alexnet", "pool5"])
def test_compiled_once_for_all_sizes(name: str, form: torch.memory_format) -> None:
    torch._dynamo.reset()
    options, in_torch = VARIANTS[name]
    counter = CompileCounterWithBackend("aot_eager")

    def call(x: Tensor) -> Tensor:
        return relu_max_pool_lrn(x, **options)

    compiled = torch.compile(call, fullgraph=True, dynamic=True, backend=counter)
    counts = []
    for size in ((3, 12, 13, 11), (5, 12, 9, 20), (2, 12, 30, 8)):
        x = draw(size, torch.float64, form, 1).requires_grad_()
        actual = compiled(x)
        assert actual.is_contiguous(memory_format=form)
        assert_equal_to_oracle(actual, in_torch(x), f"{size}")
        found, wanted = (torch.autograd.grad(y.sum(), x)[0] for y in (actual, in_torch(x)))
        assert_equal_to_oracle(found, wanted, f"{size}, grad_x", GRADIENT)
        counts.append(counter.frame_count)
    assert len(set(counts)) == 1


def test_inductor() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: relu_max_pool_lrn(x).square().sum(), fullgraph=True)
    x = draw(SIZE, torch.float32, torch.channels_last, 1).requires_grad_()
    compiled(x).backward()
    found, x.grad = x.grad, None
    caffenet(x).square().sum().backward()
    torch.testing.assert_close(found, x.grad)


def test_export_with_dynamic_sizes() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return relu_max_pool_lrn(x)

    sizes = {0: Dim("N", min=2, max=64), 2: Dim("Y", min=4, max=999), 3: Dim("X", min=4, max=999)}
    x = draw(SIZE, torch.float64, torch.contiguous_format, 1)
    program = torch.export.export(Net(), (x,), dynamic_shapes=(sizes,))
    for size in (SIZE, (2, 12, 4, 40), (7, 12, 21, 5)):
        x = draw(size, torch.float64, torch.contiguous_format, 2)
        assert_equal_to_oracle(program.module()(x), caffenet(x), f"{size}")


ERRORS = {
    "rank": (ValueError, torch.zeros(3, 4, 5), {}, r"x: expected \(N, C, Y, X\)"),
    "no channels": (ValueError, torch.zeros(1, 0, 4, 5), {}, "x: expected"),
    "integers": (TypeError, torch.zeros(1, 2, 4, 5).long(), {}, "x: expected a floating dtype"),
    "float8": (TypeError, torch.zeros(1, 2, 4, 5).to(torch.float8_e5m2), {}, "x: expected a fl"),
    "no tensor": (TypeError, [1.0], {}, "x: expected a tensor, got"),
    "order": (ValueError, None, {"order": "pool"}, "order: expected 'pool_lrn' or 'lrn_pool'"),
    "even lrn": (ValueError, None, {"lrn_size": 4}, "lrn_size: expected an odd number.*got 4"),
    "no lrn": (ValueError, None, {"lrn_size": 0}, "lrn_size: expected an odd number.*got 0"),
    "kernel": (ValueError, None, {"kernel_size": 0}, "kernel_size: expected.*got 0"),
    "three": (ValueError, None, {"kernel_size": (1, 2, 3)}, r"kernel_size: .*got \(1, 2, 3\)"),
    "stride": (ValueError, None, {"stride": (2, 0)}, r"stride: expected.*got \(2, 0\)"),
    "huge stride": (ValueError, None, {"stride": 2**31}, r"stride: expected .*2\*\*31 - 1"),
    "factor": (TypeError, None, {"alpha": "a"}, "alpha: expected a number, got str 'a'"),
    "no factor": (TypeError, None, {"k": None}, "k: expected a number, got NoneType None"),
    "fraction": (TypeError, None, {"stride": 1.5}, "stride: expected.*got float 1.5"),
    "places": (ValueError, None, {"kernel_size": 16}, "kernel_size: expected at most 255 places"),
    "too large": (ValueError, None, {"kernel_size": 14, "stride": 1}, "kernel_size: .*got 14 for"),
    "fractional lrn": (TypeError, None, {"lrn_size": 5.0}, "lrn_size: expected an integer or None"),
    "backend": (ValueError, None, {"backend": "nativ"}, "backend: expected"),
}


@pytest.mark.parametrize("kind, x, options, message", ERRORS.values(), ids=list(ERRORS))
def test_errors(kind: type[Exception], x: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(kind, match=message):
        relu_max_pool_lrn(torch.zeros(SIZE) if x is None else x, **options)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_windows_beyond_the_map(backend: str) -> None:
    """Neither memory nor numbers grow with a stride or a number of channels that nothing has."""
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    size = 2**62 + 1
    far = relu_max_pool_lrn(x, stride=2**31 - 1, lrn_size=size, alpha=0.5 * size, backend=backend)
    near = relu_max_pool_lrn(x, stride=6, lrn_size=7, alpha=0.5 * 7, backend="reference")
    assert_equal_to_oracle(far, near, backend)


def test_backends_are_told_of_the_operator() -> None:
    spec = backends.OpSpec("cpu", torch.float32, "relu_max_pool_lrn")
    assert "native     works, chosen automatically" in backends.explain(spec)
    with pytest.raises(RuntimeError, match="cannot run relu_max_pool_lrn"):
        relu_max_pool_lrn(torch.zeros(SIZE), backend="triton")


def test_forward_mode_is_refused() -> None:
    x = torch.zeros(SIZE)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises(NotImplementedError, match=r"reference\.relu_max_pool_lrn"):
            relu_max_pool_lrn(dual)


def test_follows_the_context() -> None:
    x = draw(SIZE, torch.float64, torch.contiguous_format, 1).requires_grad_()
    with lrcn_fast.use_backend("reference"):
        output = relu_max_pool_lrn(x)
    assert output.grad_fn is not None and "reference" in output.grad_fn.name()
