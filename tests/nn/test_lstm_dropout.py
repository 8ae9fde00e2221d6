"""Dropout between the layers of lrcn_fast.LSTM."""

import pytest
import torch

import lrcn_fast


@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_in_training_only_and_by_seed(bidirectional: bool) -> None:
    module = lrcn_fast.LSTM(4, 30, num_layers=2, dropout=0.5, bidirectional=bidirectional)
    x = torch.randn(6, 3, 4)
    torch.manual_seed(1)
    first = module(x)[0]
    second = module(x)[0]
    torch.manual_seed(1)
    assert torch.equal(module(x)[0], first) and not torch.equal(second, first)
    module.eval()
    assert torch.equal(module(x)[0], module(x)[0])
    plain = lrcn_fast.LSTM(4, 30, num_layers=2, bidirectional=bidirectional)
    plain.load_state_dict(module.state_dict())
    assert torch.equal(plain(x)[0], module(x)[0])


def test_dropout_drops_the_stated_share_between_layers() -> None:
    """The second layer copies what it is fed, so dropped features can be counted."""
    module = lrcn_fast.LSTM(1, 50, num_layers=2, dropout=0.3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.bias_ih_l0.fill_(3.0)
        module.bias_ih_l1[:50], module.bias_ih_l1[150:] = 9.0, 9.0
        module.bias_ih_l1[50:100] = -20.0
        module.weight_ih_l1[100:150] = torch.eye(50)
    output = module(torch.zeros(40, 50, 1))[0]
    share = float((output.abs() < 1e-6).float().mean())
    # 100000 draws: six standard deviations are 0.009.
    assert abs(share - 0.3) < 0.009
    first_layer = module.eval()(torch.zeros(40, 50, 1))[0]
    kept = output.abs() > 1e-6
    undo = torch.atanh(torch.atanh(output.double())[kept])
    expected = torch.atanh(torch.atanh(first_layer.double())[kept]) / 0.7
    torch.testing.assert_close(undo, expected, rtol=2e-3, atol=0)


def test_dropout_leaves_the_last_layer_alone() -> None:
    with pytest.warns(UserWarning, match="dropout"):
        module = lrcn_fast.LSTM(3, 4, num_layers=1, dropout=0.9)
    x = torch.randn(5, 2, 3)
    assert torch.equal(module(x)[0], module(x)[0])
