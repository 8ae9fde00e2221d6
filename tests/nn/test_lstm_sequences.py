"""cont, static, carried state and return_cells of the module."""

import pytest
import torch
from torch import Tensor

import lrcn_fast
from lrcn_fast import reference
from tests.helpers.modules import LAYOUTS, Layout, flat_parameters, named_gradients, twins
from tests.helpers.tolerance import GRADIENT, assert_bitwise_equal, assert_equal_to_oracle


@pytest.mark.parametrize(
    "T, lengths", [(8, [8, 3, 0, 6]), (8, None), (1, None), (1, [1, 0, 1, 1])], ids=str
)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_all_options_against_the_oracle(layout: Layout, T: int, lengths: list[int] | None) -> None:
    """cont, static, lengths, state and cells at once; outputs and every gradient."""
    B, S = 4, 3
    ours = lrcn_fast.LSTM(**layout.arguments(), static_size=S, dtype=torch.float64)
    names = [name for group in ours._all_weights for name in group]
    group = len(names) // (layout.num_layers * layout.directions)
    statics = ["weight_is_l0", "weight_is_l0_reverse"][: layout.directions]
    for k, name in enumerate(statics):
        names.insert((k + 1) * group + k, name)
    parameters = [dict(ours.named_parameters())[name] for name in names]
    x, hx, static = layout.sequence(T, B), layout.state(B), torch.randn(B, S, dtype=torch.float64)
    cont = torch.rand(T, B) > 0.3
    cont = cont.T if layout.batch_first else cont
    inputs = [t.requires_grad_() for t in (x, *hx, static)] + parameters
    options = {"cont": cont, "static": static}
    if lengths is not None:
        options["lengths"] = torch.tensor(lengths)
    outcomes = []
    for result in (
        ours(x, hx, return_cells=True, **options),
        reference.lstm(
            x, hx, parameters, return_cells=True, **options, **layout.oracle_arguments()
        ),
    ):
        flat = [result[0], *result[1], result[2]]
        loss = sum((t * torch.linspace(-1, 2, t.numel()).view(t.shape)).sum() for t in flat)
        outcomes.append([*flat, *torch.autograd.grad(loss, inputs)])
    labels = ["output", "h_n", "c_n", "cells", "grad x", "grad h0", "grad c0", "grad static"]
    for label, mine, other in zip(labels + names, *outcomes, strict=True):
        assert_equal_to_oracle(mine, other, label, GRADIENT)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.float64, torch.int64], ids=str)
def test_cont_of_any_dtype(dtype: torch.dtype) -> None:
    layout = Layout(bidirectional=True)
    theirs, ours = twins(layout)
    x, cont = layout.sequence(6, 3), torch.rand(6, 3) > 0.4
    expected = reference.lstm(x, None, flat_parameters(theirs), cont=cont, bidirectional=True)
    assert_equal_to_oracle(ours(x, cont=cont.to(dtype))[0], expected[0], "output")


def test_cont_starts_sequences() -> None:
    """Two clips in one stream give what each gives alone, in both directions."""
    layout = Layout(num_layers=2, bidirectional=True)
    _, ours = twins(layout)
    x = layout.sequence(9, 2)
    cont = torch.ones(9, 2)
    cont[0] = cont[4] = 0
    output = ours(x, cont=cont)[0]
    assert_equal_to_oracle(output[:4], ours(x[:4])[0], "first clip")
    assert_equal_to_oracle(output[4:], ours(x[4:])[0], "second clip")


def test_streaming_in_windows_is_one_long_sequence() -> None:
    layout = Layout(num_layers=2)
    _, ours = twins(layout)
    x, cont = layout.sequence(10, 3), torch.rand(10, 3) > 0.2
    whole, final = ours(x, cont=cont)
    state, pieces = None, []
    for window in (slice(0, 3), slice(3, 4), slice(4, 10)):
        piece, state = ours(x[window], state, cont=cont[window])
        pieces.append(piece)
    assert_equal_to_oracle(torch.cat(pieces), whole, "output")
    assert_equal_to_oracle(state[1], final[1], "c_n")


def test_a_nan_state_dies_where_a_sequence_starts() -> None:
    layout = Layout(num_layers=2, proj_size=3)
    _, ours = twins(layout)
    x, cont = layout.sequence(5, 2).requires_grad_(), torch.ones(5, 2)
    hx = tuple(torch.full_like(state, float("nan")) for state in layout.state(2))
    cont[0, 0] = 0
    output, (h_n, c_n) = ours(x, hx, cont=cont)
    assert all(t[:, 0].isfinite().all() for t in (output, h_n, c_n))
    assert output[:, 1].isnan().all()
    cont[0, 1] = 0
    ours.zero_grad()
    ours(x, hx, cont=cont)[0].sum().backward()
    assert x.grad.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in named_gradients(ours).values())


def test_cells_of_the_last_layer() -> None:
    """Against torch.nn.LSTMCell run step by step."""
    theirs, ours = twins(Layout())
    cell = torch.nn.LSTMCell(5, 7, dtype=torch.float64)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in theirs.state_dict().items()})
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    state: tuple[Tensor, Tensor] | None = None
    _, (_, c_n), cells = ours(x, return_cells=True)
    for t in range(4):
        state = cell(x[t], state)
        assert_equal_to_oracle(cells[t], state[1], f"cells at {t}")
    assert_bitwise_equal(cells[-1], c_n[0], "last cells")


def test_unbatched_options() -> None:
    layout = Layout(bidirectional=True)
    ours = lrcn_fast.LSTM(**layout.arguments(), static_size=2, dtype=torch.float64)
    x, cont = layout.sequence(6, 1), torch.tensor([1, 1, 0, 1, 1, 0])
    static, hx = torch.randn(1, 2, dtype=torch.float64), layout.state(1)
    expected = ours(x, hx, cont=cont[:, None], static=static, return_cells=True)
    actual = ours(
        x[:, 0], (hx[0][:, 0], hx[1][:, 0]), cont=cont, static=static[0], return_cells=True
    )
    assert_bitwise_equal(actual[0], expected[0][:, 0], "output")
    assert_bitwise_equal(actual[1][0], expected[1][0][:, 0], "h_n")
    assert_bitwise_equal(actual[2], expected[2][:, 0], "cells")


@pytest.mark.parametrize("lengths", [None, torch.zeros(3, dtype=torch.int64)])
@pytest.mark.parametrize("T", [1, 2])
def test_results_alias_neither_the_arguments_nor_each_other(T: int, lengths: Tensor | None) -> None:
    """A caller may reset a state in place."""
    _, ours = twins(Layout())
    x, hx = torch.randn(T, 3, 5, dtype=torch.float64), Layout().state(3)
    before = [x.clone(), hx[0].clone(), hx[1].clone()]
    with torch.no_grad():
        output, (h_n, c_n), cells = ours(x, hx, lengths=lengths, return_cells=True)
        results = (output, h_n, c_n, cells)
        for number, tensor in enumerate(results):
            tensor.fill_(float(number))
    assert [float(t.mean()) for t in results] == [0.0, 1.0, 2.0, 3.0]
    assert all(torch.equal(a, b) for a, b in zip(before, (x, *hx), strict=True))
