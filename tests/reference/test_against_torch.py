"""The float64 loop is torch.nn.LSTM: outputs, final states and every gradient."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lrcn_fast.reference import lstm, lstm_cell_forward
from tests.helpers.modules import LAYOUTS, Layout, flat_parameters, named_gradients
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("with_state", [False, True])
def test_outputs_states_and_gradients(layout: Layout, with_state: bool) -> None:
    module = layout.torch_module()
    x = layout.sequence(6, 3).requires_grad_()
    hx = tuple(s.requires_grad_() for s in layout.state(3)) if with_state else None
    inputs = [x, *(hx or ())]
    expected, (h_n, c_n) = module(x, hx)
    weights = [torch.randn_like(t) for t in (expected, h_n, c_n)]
    parameters = flat_parameters(module)
    wanted = torch.autograd.grad([expected, h_n, c_n], inputs + parameters, weights)

    output, (h, c) = lstm(x, hx, parameters, **layout.oracle_arguments())
    gradients = torch.autograd.grad([output, h, c], inputs + parameters, weights)
    for name, ours, theirs in zip("output h_n c_n".split(), (output, h, c), (expected, h_n, c_n)):
        assert_equal_to_oracle(ours, theirs, name)
    for number, (ours, theirs) in enumerate(zip(gradients, wanted, strict=True)):
        assert_equal_to_oracle(ours, theirs, f"gradient {number}", GRADIENT)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_lengths_are_a_packed_sequence(layout: Layout) -> None:
    module = layout.torch_module()
    lengths = torch.tensor([4, 7, 1, 5])
    x, hx = layout.sequence(7, 4), layout.state(4)
    packed = pack_padded_sequence(x, lengths, batch_first=layout.batch_first, enforce_sorted=False)
    packed_output, (h_n, c_n) = module(packed, hx)
    expected, _ = pad_packed_sequence(packed_output, batch_first=layout.batch_first, total_length=7)
    expected.square().sum().backward()
    wanted = named_gradients(module)
    module.zero_grad()

    parameters = flat_parameters(module)
    output, (h, c) = lstm(x, hx, parameters, lengths=lengths, **layout.oracle_arguments())
    output.square().sum().backward()
    assert_equal_to_oracle(output, expected, "output")
    assert_equal_to_oracle(h, h_n, "h_n")
    assert_equal_to_oracle(c, c_n, "c_n")
    for name, gradient in named_gradients(module).items():
        assert_equal_to_oracle(gradient, wanted[name], name, GRADIENT)


def test_a_row_of_length_zero_keeps_its_state_and_gives_zeros() -> None:
    layout = Layout(num_layers=2, bidirectional=True)
    x, hx = layout.sequence(4, 3), layout.state(3)
    x[:, 1] = float("nan")
    output, (h, c), cells = lstm(
        x,
        hx,
        flat_parameters(layout.torch_module()),
        lengths=torch.tensor([4, 0, 2]),
        return_cells=True,
        **layout.oracle_arguments(),
    )
    assert torch.equal(h[:, 1], hx[0][:, 1]) and torch.equal(c[:, 1], hx[1][:, 1])
    assert not output[:, 1].any() and not cells[:, 1].any() and not output[2:, 2].any()
    assert output.isfinite().all()


def test_cells_end_in_the_final_cell_state() -> None:
    layout = Layout(num_layers=2, bidirectional=True)
    _, (_, c_n), cells = lstm(
        layout.sequence(5, 3),
        None,
        flat_parameters(layout.torch_module()),
        return_cells=True,
        **layout.oracle_arguments(),
    )
    assert cells.shape == (5, 3, 14)
    assert torch.equal(cells[-1, :, :7], c_n[2]) and torch.equal(cells[0, :, 7:], c_n[3])


def test_dropout_masks_scale_what_enters_the_next_layer() -> None:
    layout = Layout(num_layers=2)
    parameters, x = flat_parameters(layout.torch_module()), layout.sequence(4, 2)
    first, _ = lstm(x, None, parameters[:4])
    mask = 2.0 * (torch.rand(4, 2, 7) > 0.5).double()
    expected, _ = lstm(first * mask, None, parameters[4:])
    output, _ = lstm(x, None, parameters, num_layers=2, dropout_masks=[mask])
    assert torch.equal(output, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_round_the_hidden_state_only(dtype: torch.dtype) -> None:
    """Half storage equals float32 computation of the rounded inputs, h rounded at every step."""
    layout = Layout(input_size=3, hidden_size=4)
    parameters = [p.detach().to(dtype) for p in flat_parameters(layout.torch_module())]
    x = layout.sequence(5, 2, dtype)
    output, (h_n, c_n) = lstm(x, None, parameters)
    w_ih, w_hh, b_ih, b_hh = parameters
    gates = torch.nn.functional.linear(x, w_ih) + (b_ih + b_hh)
    h, c = torch.zeros(2, 4), torch.zeros(2, 4)
    for t in range(5):
        i, f, g, o = (gates[t].float() + h @ w_hh.float().T).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = (o.sigmoid() * c.tanh()).to(dtype).float()
        assert torch.equal(output[t], h.to(dtype))
    assert torch.equal(h_n[0], h.to(dtype)) and torch.equal(c_n[0], c.to(dtype))


def test_cell_is_one_step_of_torch() -> None:
    cell = torch.nn.LSTMCell(3, 5).double()
    x, h0, c0 = torch.randn(4, 3).double(), torch.randn(4, 5).double(), torch.randn(4, 5).double()
    gates = x @ cell.weight_ih.T + cell.bias_ih + h0 @ cell.weight_hh.T + cell.bias_hh
    h, c, _ = lstm_cell_forward(gates, c0)
    expected_h, expected_c = cell(x, (h0, c0))
    assert_equal_to_oracle(h, expected_h, "h")
    assert_equal_to_oracle(c, expected_c, "c")
