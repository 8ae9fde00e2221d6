"""lstm_scans_forward and lstm_scans_backward: each scan is, bit for bit, what it is alone."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.cases import CASES, Case, Tensors, build
from tests.helpers.scans import backward_arguments, forward_arguments
from tests.helpers.tolerance import assert_bitwise_equal

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
ROWS = {case.name: case for case in CASES}


def beside(case: Case, number: int) -> Case:
    """Another scan of the same B, H and P, with other options."""
    reverse, static = case.reverse != bool(number % 2), number > 1
    lengths = None if case.lengths is None or static else case.lengths
    steps = case.T if lengths is not None else 1 + (case.T + number) % 7
    return replace(
        case, name=f"{case}+{number}", T=steps, reverse=reverse, static=static, lengths=lengths
    )


def group(case: Case, count: int, dtype: torch.dtype) -> list[Tensors]:
    return [build(beside(case, n) if n else case, dtype) for n in range(count)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_together_as_alone(case: Case, suffix: str, dtype: torch.dtype) -> None:
    scans = group(case, 3, dtype)
    forward, backward = (getattr(OPS, f"lstm_{way}{suffix}") for way in ("forward", "backward"))
    alone = [forward(*x.forward_arguments(), True, True) for x in scans]
    together = getattr(OPS, f"lstm_scans_forward{suffix}")(*forward_arguments(scans), True, True, 0)
    for number, results in enumerate(together):
        for scan, ours in enumerate(results):
            assert_bitwise_equal(ours, alone[scan][number], f"scan {scan}, result {number}")
    saved = [(results[4], results[3]) for results in alone]
    together = getattr(OPS, f"lstm_scans_backward{suffix}")(*backward_arguments(scans, saved), 0)
    for scan, (x, kept) in enumerate(zip(scans, saved, strict=True)):
        for number, other in enumerate(backward(*x.backward_arguments(*kept))):
            assert_bitwise_equal(together[number][scan], other, f"scan {scan}, gradient {number}")


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("hidden", [24, 520])
def test_a_thread_each_or_all_at_one(hidden: int, threads: int) -> None:
    """Two scans have a thread each where there are two and the weights are small."""
    scans = group(Case("threads", 5, 6, hidden), 2, torch.float32)
    alone = [OPS.lstm_forward(*x.forward_arguments(), True, True) for x in scans]
    torch.set_num_threads(threads)
    together = OPS.lstm_scans_forward(*forward_arguments(scans), True, True, 0)
    saved = [(results[4], results[3]) for results in alone]
    back = OPS.lstm_scans_backward(*backward_arguments(scans, saved), 0)
    for scan, (x, kept) in enumerate(zip(scans, saved, strict=True)):
        wanted = (*alone[scan], *OPS.lstm_backward(*x.backward_arguments(*kept)))
        for number, (ours, theirs) in enumerate(zip([*together, *back], wanted, strict=True)):
            assert_bitwise_equal(ours[scan], theirs, f"scan {scan}, result {number}")


def leaves(scans: list[Tensors]) -> tuple[list[Tensors], list[Tensor]]:
    """The same scans with tensors that ask for a gradient, and these."""
    found = []
    for x in scans:
        inputs = {k: v.detach().requires_grad_() for k, v in x.differentiable().items()}
        found.append(Tensors(**{**vars(x), **inputs}))
    return found, [v for x in found for v in x.differentiable().values()]


@given(
    case=st.sampled_from(CASES),
    count=st.integers(1, 5),
    outputs=st.sets(st.sampled_from([0, 1, 2, 3]), min_size=1),
    chosen=st.integers(0, 4),
)
def test_gradients_together_as_alone(
    case: Case, count: int, outputs: set[int], chosen: int
) -> None:
    """Of some results of all scans, and those of one scan alone."""
    scans, inputs = leaves(group(case, count, torch.float32))
    together = OPS.lstm_scans_forward(*forward_arguments(scans), True, True, 0)
    alone = [OPS.lstm_forward(*x.forward_arguments(), True, True) for x in scans]
    names = ("grad_output", "grad_h_n", "grad_c_n", "grad_cells")
    for some in (range(count), [chosen % count]):
        picked = [(number, scan) for number in sorted(outputs) for scan in some]
        weights = [getattr(scans[scan], names[number]) for number, scan in picked]
        ours, wanted = (
            torch.autograd.grad(results, inputs, weights, retain_graph=True, materialize_grads=True)
            for results in (
                [together[number][scan] for number, scan in picked],
                [alone[scan][number] for number, scan in picked],
            )
        )
        # Where nothing came in, zeros of either sign come out.
        assert all(torch.equal(*pair) for pair in zip(ours, wanted, strict=True))


def test_gradcheck() -> None:
    row = Case("all", 4, 3, 3, 2, True, True, "random", (4, 0, 2), batch_first=True)
    scans, inputs = leaves(group(row, 3, torch.float64))

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        remaining = list(values)
        moved = [
            Tensors(**{**vars(x), **{name: remaining.pop(0) for name in x.differentiable()}})
            for x in scans
        ]
        results = OPS.lstm_scans_forward(*forward_arguments(moved), True, True, 0)
        return tuple(tensor for tensors in results for tensor in tensors)

    fast = {"fast_mode": True}
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, **fast)
    assert torch.autograd.gradgradcheck(run, inputs, check_fwd_over_rev=True, **fast)
    # Autograd's own vmap, which cannot map lists.
    assert torch.autograd.gradcheck(run, inputs, check_batched_grad=True)


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("name", ["plain", "no_stream", "cont", "all", "all_reverse"])
def test_opcheck(name: str, suffix: str) -> None:
    scans, _ = leaves(group(ROWS[name], 3, torch.float32))
    op = getattr(OPS, f"lstm_scans_forward{suffix}").default
    torch.library.opcheck(op, (*forward_arguments(scans), True, True, 0))
    plain = group(ROWS[name], 3, torch.float32)
    torch.library.opcheck(op, (*forward_arguments(plain), False, False, 0))
    saved = [OPS.lstm_forward(*x.forward_arguments(), True, True)[:2:-1] for x in plain]
    op = getattr(OPS, f"lstm_scans_backward{suffix}").default
    torch.library.opcheck(op, (*backward_arguments(plain, saved), 0))


def test_results_share_no_memory() -> None:
    scans = group(ROWS["all"], 3, torch.float32)
    results = OPS.lstm_scans_forward(*forward_arguments(scans), True, True, 0)
    tensors = [tensor for tensors in results for tensor in tensors]
    tensors += [v for x in scans for v in vars(x).values() if isinstance(v, Tensor)]
    addresses = [tensor.data_ptr() for tensor in tensors if tensor.numel()]
    assert len(set(addresses)) == len(addresses)


def test_autocast() -> None:
    scans = group(ROWS["static"], 2, torch.float32)
    arguments = forward_arguments(scans)
    with torch.autocast("cpu", torch.bfloat16):
        actual = OPS.lstm_scans_forward(*arguments, True, True, 0)
    halves = forward_arguments([x.map(Tensor.bfloat16) for x in scans])
    for ours, wanted in zip(actual, OPS.lstm_scans_forward(*halves, True, True, 0), strict=True):
        for one, other in zip(ours, wanted, strict=True):
            assert_bitwise_equal(one, other, "under autocast")


def test_a_gradient_needs_what_the_forward_saves() -> None:
    scans, _ = leaves(group(ROWS["plain"], 2, torch.float32))
    output = OPS.lstm_scans_forward(*forward_arguments(scans), False, False, 0)[0][0]
    with pytest.raises(RuntimeError, match="lstm_scans_forward.*save_cells=True"):
        output.sum().backward()


BAD: dict[str, tuple[int, Any, str]] = {
    "no scan": (0, lambda _: [], "'gates' must have at least one scan"),
    "few weights": (1, lambda x: x[:1], "'weight_hh' must have one element for each of 2 scans"),
    "many weights": (1, lambda x: [*x, x[0]], "'weight_hh'.* 2 scans, got 3"),
    "few states": (4, lambda x: x[:1], "'h0' must have one element for each of 2 scans, got 1"),
    "few directions": (8, lambda x: x[:1], "'reverse' must have one element .* 2 scans, got 1"),
    "another batch": (0, lambda x: [x[0][:, :2], x[1]], "'cont' must have shape"),
    "another dtype": (0, lambda x: [x[0], x[1].double()], "'weight_hh' must have dtype float64"),
    "wrong state": (4, lambda x: [x[0], x[1][:-1]], r"'h0' must have shape \(B, P\) = \(5, 7\)"),
    "wrong length": (7, lambda x: [x[0], x[1] + 9], "'lengths' must lie within 0..T = 8"),
}


@pytest.mark.parametrize("position, change, message", BAD.values(), ids=list(BAD))
def test_wrong_lists(position: int, change: Any, message: str) -> None:
    arguments = list(forward_arguments(group(ROWS["all_reverse"], 2, torch.float32)))
    arguments[position] = change(arguments[position])
    with pytest.raises(RuntimeError, match=f"lrcn_fast::lstm_scans_forward: argument {message}"):
        OPS.lstm_scans_forward(*arguments, True, True, 0)


def test_scans_that_are_not_alike() -> None:
    first, other = (build(Case("c", T=2, B=3, H=h), torch.float32) for h in (4, 5))
    message = "'gates' must have the same B, H and P in all scans, got a float32 tensor of shape "
    with pytest.raises(RuntimeError, match=re.escape(f"{message}(2, 3, 16)")):
        OPS.lstm_scans_forward(*forward_arguments([first, other]), True, True, 0)
    saved = [OPS.lstm_forward(*x.forward_arguments(), True, True)[:2:-1] for x in (first, other)]
    with pytest.raises(RuntimeError, match="'activations' must have the same B, H and P"):
        OPS.lstm_scans_backward(*backward_arguments([first, other], saved), 0)


def test_vmap() -> None:
    """Over an input of one scan and the weights of another, beside what has no such dimension."""
    scans = group(replace(ROWS["plain"], state=False), 2, torch.float64)
    gates = torch.stack([scans[0].gates, scans[0].gates + 1, scans[0].gates - 1])
    weights = torch.stack([scans[1].weight_hh, -scans[1].weight_hh, scans[1].weight_hh * 2])
    h0 = torch.randn(3, 8, dtype=torch.float64)

    def run(x: Tensor, weight: Tensor) -> Any:
        first, second = replace(scans[0], gates=x), replace(scans[1], weight_hh=weight, h0=h0)
        return OPS.lstm_scans_forward(*forward_arguments([first, second]), True, True, 0)

    together = torch.func.vmap(run, in_dims=(0, 0))(gates, weights)
    for n in range(3):
        alone = run(gates[n], weights[n])
        for results, others in zip(together, alone, strict=True):
            for ours, wanted in zip(results, others, strict=True):
                assert_bitwise_equal(ours[n], wanted, f"element {n}")
