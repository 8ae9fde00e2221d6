"""Arguments that nobody should pass, made from good ones, and what is made of them."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

ERRORS = (RuntimeError, TypeError, ValueError, NotImplementedError)
HUGE = 2**50
"""A size whose tensors fit into no address space, so that nothing computes for long."""


def _rank(draw: st.DrawFn, t: Tensor) -> Tensor:
    return draw(st.sampled_from([lambda: t[None], lambda: t[..., None], lambda: t.flatten()]))()


def _size(draw: st.DrawFn, t: Tensor) -> Tensor:
    """One dimension shorter, empty, one longer, or huge."""
    if t.dim() == 0:
        return t
    dim = draw(st.integers(0, t.dim() - 1))
    length = t.shape[dim]
    wanted = draw(st.sampled_from([length - 1, 0, length + 1, 2 * length, HUGE]))
    if wanted == HUGE:
        sizes = [HUGE if d == dim else 1 for d in range(t.dim())]
        return t.new_zeros([1] * t.dim()).expand(sizes)
    return torch.cat([t, t, t.new_zeros(t.shape).sum(dim, keepdim=True)], dim).narrow(
        dim, 0, max(0, wanted)
    )


def _dtype(draw: st.DrawFn, t: Tensor) -> Tensor:
    dtypes = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8]
    return t.to(draw(st.sampled_from([*dtypes, torch.complex64, torch.int32])))


def _layout(draw: st.DrawFn, t: Tensor) -> Tensor:
    """The same or fewer values: columns first, with gaps, backwards in a copy, overlapping."""
    if t.dim() == 0:
        return t
    forms: list[Callable[[], Tensor]] = [
        lambda: t.mT.contiguous().mT if t.dim() > 1 else t,
        lambda: torch.stack([t, t], -1)[..., 0],
        lambda: t[:1].expand(t.shape) if t.shape[0] else t,
        lambda: t[..., :1].expand(t.shape) if t.shape[-1] else t,
    ]
    return draw(st.sampled_from(forms))()


def _values(draw: st.DrawFn, t: Tensor) -> Tensor:
    """One value is no number, infinite, negative, or far outside of any range."""
    if t.numel() == 0 or t.dtype in (torch.bool, torch.uint8) or not t.is_contiguous():
        return t
    wild = [torch.nan, torch.inf, -torch.inf] if t.is_floating_point() else None
    value = draw(st.sampled_from(wild or [-1, -2, 1, 7, 8, 2**31, 2**62, -(2**63)]))
    damaged = t.clone()
    damaged.view(-1)[draw(st.integers(0, t.numel() - 1))] = value
    return damaged


def _meta(draw: st.DrawFn, t: Tensor) -> Tensor:
    return t.to("meta")


def _kind(draw: st.DrawFn, value: Any) -> Any:
    return draw(st.sampled_from([None, "text", 1.5, [], [None], object()]))


def _number(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return draw(st.sampled_from([0.0, -1.0, torch.nan, torch.inf, 1e300]))
    return draw(st.sampled_from([-1, 0, 1, 2, 2**31, 2**62, 2**63 - 1, -(2**63)]))


def _list(draw: st.DrawFn, value: list[Any]) -> list[Any]:
    shorter, longer = value[:-1], [*value, *value[:1]]
    change = draw(st.sampled_from(["empty", "shorter", "longer", "element"]))
    if change != "element" or not value:
        return {"empty": [], "shorter": shorter}.get(change, longer)
    chosen = draw(st.integers(0, len(value) - 1))
    return [_changed(draw, x) if n == chosen else x for n, x in enumerate(value)]


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """Another argument in the place of ``value``."""
    if isinstance(value, Tensor):
        ways = [_rank, _size, _size, _dtype, _layout, _layout, _values, _values, _meta, _kind]
    elif isinstance(value, list):
        ways = [_list, _list, _list, _kind]
    elif isinstance(value, int | float):
        ways = [_number, _number, _number, _kind]
    else:
        ways = [_kind]
    return draw(st.sampled_from(ways))(draw, value)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        values = f" {value.tolist()}" if not value.is_meta and value.numel() < 8 else ""
        return f"{value.dtype} {(*value.shape,)} {value.stride()} {value.device}{values}"
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else repr(value)


class Damaged(dict[str, Any]):
    """Arguments by name; shows those that were changed, and of a tensor not its values."""

    changed: list[str]

    def __repr__(self) -> str:
        return "; ".join(f"{name}: {_shown(self[name])}" for name in self.changed)


@st.composite
def damaged(draw: st.DrawFn, arguments: dict[str, Any]) -> Damaged:
    """``arguments`` with one to three of them changed."""
    names = draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=3, unique=True))
    found = Damaged(arguments)
    found.changed = names
    found.update((name, _changed(draw, arguments[name])) for name in names)
    return found


def tensors(value: Any) -> list[Tensor]:
    """All tensors in nested lists and tuples."""
    if isinstance(value, Tensor):
        return [value]
    return [t for x in value for t in tensors(x)] if isinstance(value, list | tuple) else []


def outcome(function: Callable[..., Any], *given: Any, **named: Any) -> list[Tensor] | Exception:
    """Results, and the arguments themselves, which it may have changed; or the error."""
    given, named = copy.deepcopy((given, named))
    try:
        return tensors([function(*given, **named), given, list(named.values())])
    except ERRORS as error:
        return error


def names_an_argument(found: list[Tensor] | Exception, names: Iterable[str]) -> bool:
    """Whether this is an error, which must then name one of the arguments."""
    if not isinstance(found, Exception):
        return False
    assert any(name in str(found) for name in names), repr(found)
    return True


def assert_same_outcome(
    ours: list[Tensor] | Exception, theirs: list[Tensor] | Exception, comparable: bool = True
) -> None:
    """Results are of the same dtypes and, where values are comparable, of float64, the same."""
    assert not isinstance(ours, Exception) and not isinstance(theirs, Exception), (ours, theirs)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert mine.dtype == other.dtype, f"result {number}"
        if comparable and mine.dtype == torch.float64 and not mine.is_meta:
            finite = other.isfinite()
            assert torch.equal(mine.isfinite(), finite), f"result {number}"
            assert_equal_to_oracle(mine[finite], other[finite], f"result {number}", GRADIENT)
