"""cont, static and lengths against the same thing said without them."""

import pytest
import torch
from torch import Tensor

from lrcn_fast.reference import lstm, lstm_forward
from tests.helpers.modules import LAYOUTS, Layout, flat_parameters
from tests.helpers.tolerance import assert_equal_to_oracle


def test_cont_splits_a_stream_into_sequences() -> None:
    """Streams are cut by hand at their starts and every piece is run alone, in both directions."""
    layout = Layout(bidirectional=True)
    parameters = flat_parameters(layout.torch_module())
    T, B = 9, 3
    x, hx = layout.sequence(T, B), layout.state(B)
    cont = torch.ones(T, B, dtype=torch.bool)
    cont[[3, 4, 8], 0] = False
    cont[0, 1] = False
    output, (h_n, c_n) = lstm(x, hx, parameters, cont=cont, bidirectional=True)

    for row in range(B):
        starts = [t for t in range(1, T) if not cont[t, row]]
        for begin, end in zip([0, *starts], [*starts, T], strict=True):
            h, c = (torch.zeros_like(s[:, row : row + 1]) for s in hx)
            if begin == 0 and cont[0, row]:
                h[0], c[0] = hx[0][0, row], hx[1][0, row]
            if end == T:
                h[1], c[1] = hx[0][1, row], hx[1][1, row]
            piece, (piece_h, piece_c) = lstm(
                x[begin:end, row : row + 1], (h, c), parameters, bidirectional=True
            )
            assert_equal_to_oracle(output[begin:end, row], piece[:, 0], f"{row}, {begin}:{end}")
            if end == T:
                assert_equal_to_oracle(h_n[0, row], piece_h[0, 0], "h_n forward")
                assert_equal_to_oracle(c_n[0, row], piece_c[0, 0], "c_n forward")
            if begin == 0:
                assert_equal_to_oracle(h_n[1, row], piece_h[1, 0], "h_n reverse")
                assert_equal_to_oracle(c_n[1, row], piece_c[1, 0], "c_n reverse")


def test_first_cont_means_nothing_in_reverse() -> None:
    gates, weight = torch.randn(4, 2, 12), torch.randn(12, 3)
    cont = torch.ones(4, 2, dtype=torch.bool)
    plain = lstm_forward(gates, weight, cont=cont, reverse=True)
    cont[0] = False
    for ours, theirs in zip(lstm_forward(gates, weight, cont=cont, reverse=True), plain):
        assert torch.equal(ours, theirs)


def test_cont_past_the_length_means_nothing() -> None:
    gates, weight = torch.randn(5, 2, 12), torch.randn(12, 3)
    h0, c0, lengths = torch.randn(2, 3), torch.randn(2, 3), torch.tensor([2, 4])
    cont = torch.ones(5, 2, dtype=torch.bool)
    for reverse in (False, True):
        arguments = {"h0": h0, "c0": c0, "lengths": lengths, "reverse": reverse}
        plain = lstm_forward(gates, weight, cont=cont, **arguments)
        changed = cont.clone()
        changed[2:, 0] = False
        changed[4:, 1] = False
        for ours, theirs in zip(lstm_forward(gates, weight, cont=changed, **arguments), plain):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("number_type", [torch.float64, torch.int64, torch.bool])
def test_cont_may_be_numbers(number_type: torch.dtype) -> None:
    layout = Layout()
    parameters, x = flat_parameters(layout.torch_module()), layout.sequence(6, 3)
    cont = torch.rand(6, 3) > 0.4
    expected, _ = lstm(x, None, parameters, cont=cont)
    assert torch.equal(lstm(x, None, parameters, cont=cont.to(number_type))[0], expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_nan_dies_where_a_sequence_starts(reverse: bool) -> None:
    gates = torch.randn(5, 2, 12, dtype=torch.float64)
    weight = torch.randn(12, 3, dtype=torch.float64)
    cont = torch.ones(5, 2, dtype=torch.bool)
    cont[3 if reverse else 2, 0] = False
    nan = torch.full((2, 3), float("nan"), dtype=torch.float64)
    output = lstm_forward(gates, weight, h0=nan, c0=nan, cont=cont, reverse=reverse)[0]
    clean = slice(0, 3) if reverse else slice(2, None)
    assert output[clean, 0].isfinite().all()
    assert output[:, 1].isnan().all()


@pytest.mark.parametrize("layout", [row for row in LAYOUTS if row.bias], ids=str)
def test_static_is_input_repeated_at_every_step(layout: Layout) -> None:
    """[x_t ; static] through concatenated weights is the same network."""
    T, B, S = 5, 3, 4
    x, static = layout.sequence(T, B), torch.randn(B, S, dtype=torch.float64)
    repeated = static[:, None] if layout.batch_first else static[None]
    shape = (B, T, S) if layout.batch_first else (T, B, S)
    wide = Layout(**{**layout.arguments(), "input_size": layout.input_size + S})
    parameters = flat_parameters(wide.torch_module())
    expected = lstm(
        torch.cat([x, repeated.expand(shape)], -1), None, parameters, **wide.oracle_arguments()
    )
    output = lstm(
        x, None, split_static(parameters, layout), static=static, **layout.oracle_arguments()
    )
    assert_equal_to_oracle(output[0], expected[0], "output")
    assert_equal_to_oracle(output[1][0], expected[1][0], "h_n")


def split_static(parameters: list[Tensor], layout: Layout) -> list[Tensor]:
    """Move the last columns of the first layer's w_ih into a w_is at the end of its group."""
    group = 5 if layout.proj_size else 4
    result: list[Tensor] = []
    for start in range(0, len(parameters), group):
        rows = list(parameters[start : start + group])
        if start < group * layout.directions:
            w_ih = rows[0]
            rows = [w_ih[:, : layout.input_size], *rows[1:], w_ih[:, layout.input_size :]]
        result += rows
    return result
