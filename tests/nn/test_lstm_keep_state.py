"""LSTM(keep_state=True): the state goes from call to call, detached, as in Caffe's layers."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

import lrcn_fast
from lrcn_fast.training import windows
from tests.helpers.tolerance import assert_bitwise_equal, assert_equal_to_oracle

T, B, H, WIDTH = 11, 3, 5, 4


def module(**options: Any) -> lrcn_fast.LSTM:
    return lrcn_fast.LSTM(WIDTH, H, keep_state=True, dtype=torch.float64, **options)


def sequence(batch_first: bool = False) -> tuple[Tensor, Tensor]:
    """Input and cont of which some rows start anew inside, some where a window begins."""
    cont = torch.rand(T, B) > 0.3
    cont[4] = torch.tensor([True, False, True])
    x = torch.randn(T, B, WIDTH, dtype=torch.float64)
    return (x.transpose(0, 1), cont.t()) if batch_first else (x, cont)


@pytest.mark.parametrize("every", [1, 4, 11, 20])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "batch_first": True}, {"proj_size": 2}])
def test_windows_are_the_whole_sequence(options: dict[str, Any], every: int) -> None:
    """Also the second time, when the first step's cont decides what is carried over."""
    kept, time = module(**options), int("batch_first" in options)
    whole = copy.deepcopy(kept)
    whole.keep_state = False
    hx = None
    for _ in range(2):
        x, cont = sequence(bool(time))
        expected, hx = whole(x, hx, cont=cont)
        parts = [kept(a, cont=b)[0] for a, b in windows(every, x, cont, dim=time)]
        assert_equal_to_oracle(torch.cat(parts, time), expected, "output")
        for mine, other in zip(kept.kept_state, hx, strict=True):
            assert_equal_to_oracle(mine, other, "state")


def test_gradients_are_those_of_detached_states() -> None:
    x, cont = sequence()
    kept = module(num_layers=2)
    by_hand = copy.deepcopy(kept)
    by_hand.keep_state = False
    hx = None
    for a, b in windows(4, x, cont):
        kept(a, cont=b)[0].square().sum().backward()
        output, (h, c) = by_hand(a, hx, cont=b)
        output.square().sum().backward()
        hx = h.detach(), c.detach()
    for mine, other in zip(kept.parameters(), by_hand.parameters(), strict=True):
        assert_bitwise_equal(mine.grad, other.grad, "gradient")


def test_no_graph_is_kept() -> None:
    rnn, (x, _) = module(), sequence()
    _, (h, _) = rnn(x)
    assert not any(state.requires_grad for state in rnn.kept_state)
    before = rnn.kept_state[0].clone()
    h.detach().zero_()
    assert_bitwise_equal(rnn.kept_state[0], before, "state after the caller changed his")


def test_a_given_state_counts_and_is_followed() -> None:
    rnn, (x, _) = module(), sequence()
    rnn(x)
    hx = torch.randn(1, B, H, dtype=torch.float64), torch.randn(1, B, H, dtype=torch.float64)
    expected, states = torch.func.functional_call(
        lrcn_fast.LSTM(WIDTH, H, dtype=torch.float64), dict(rnn.named_parameters()), (x, hx)
    )
    assert_bitwise_equal(rnn(x, hx)[0], expected, "output")
    assert_bitwise_equal(rnn.kept_state[1], states[1], "c")


def test_reset() -> None:
    rnn, (x, _) = module(), sequence()
    first = rnn(x)[0]
    carried = rnn(x)[0]
    assert not torch.equal(first, carried)
    rnn.reset_state()
    assert rnn.kept_state is None
    assert_bitwise_equal(rnn(x)[0], first, "output")
    rnn.reset_state(torch.tensor([True, False, True]))
    mixed = rnn(x)[0]
    assert_bitwise_equal(mixed[:, [0, 2]], first[:, [0, 2]], "rows that start anew")
    assert_bitwise_equal(mixed[:, 1], carried[:, 1], "row that goes on")


def test_packed_rows_are_the_callers() -> None:
    rows = [torch.randn(n, WIDTH, dtype=torch.float64) for n in (3, 6, 2)]
    later = [torch.randn(n, WIDTH, dtype=torch.float64) for n in (5, 1, 4)]
    rnn = module()
    rnn(pack_sequence(rows, enforce_sorted=False))
    rnn(pack_sequence(later, enforce_sorted=False))
    for n in range(3):
        alone = module()
        alone.load_state_dict(rnn.state_dict())
        alone(rows[n])
        alone(later[n])
        torch.testing.assert_close(rnn.kept_state[0][:, n], alone.kept_state[0])


def test_other_rows_are_refused() -> None:
    rnn, (x, _) = module(), sequence()
    rnn(x)
    for other, told in ((x[:, :2], "got B = 2"), (x[:, 0], "unbatched")):
        with pytest.raises(ValueError, match=rf"input: .*B = 3.*{told}.*reset_state"):
            rnn(other)
    rnn.reset_state()
    rnn(x[:, 0])
    with pytest.raises(ValueError, match="rows: .*states"):
        rnn.reset_state(torch.tensor([True]))
    with pytest.raises(TypeError, match="rows"):
        rnn.reset_state(torch.tensor([1]))


def test_both_directions_are_refused() -> None:
    with pytest.raises(ValueError, match="keep_state"):
        module(bidirectional=True)
    rnn = lrcn_fast.LSTM(WIDTH, H, bidirectional=True)
    rnn.keep_state = True
    with pytest.raises(ValueError, match="keep_state"):
        rnn(torch.randn(T, B, WIDTH))


def test_transforms_and_export_are_refused() -> None:
    rnn, (x, _) = module(), sequence()
    with pytest.raises(NotImplementedError, match="keep_state.*hx"):
        torch.func.vmap(lambda row: rnn(row)[0])(x.transpose(0, 1))
    assert rnn.kept_state is None


def test_the_state_moves_and_is_copied_but_is_no_parameter() -> None:
    rnn, (x, _) = module(), sequence()
    assert "keep_state=True" in repr(rnn)
    rnn(x)
    assert list(rnn.state_dict()) == list(lrcn_fast.LSTM(WIDTH, H).state_dict())
    assert not list(rnn.buffers())
    for other in (copy.deepcopy(rnn), pickle.loads(pickle.dumps(rnn))):
        assert_bitwise_equal(other(x)[0], copy.deepcopy(rnn)(x)[0], "output")
    rnn.float()
    assert rnn.kept_state[0].dtype == torch.float32
    assert rnn(x.float())[0].dtype == torch.float32


def test_compiled() -> None:
    x, cont = sequence()
    rnn = module()
    eager = copy.deepcopy(rnn)
    compiled = torch.compile(rnn, backend="aot_eager", fullgraph=True)
    for a, b in windows(4, x, cont):
        assert_bitwise_equal(compiled(a, cont=b)[0], eager(a, cont=b)[0], "output")


def test_windows_refuse_what_does_not_fit() -> None:
    x, cont = sequence()
    assert [a.shape[0] for a, _ in windows(4, x, None)] == [4, 4, 3]
    with pytest.raises(ValueError, match="every"):
        windows(0, x)
    with pytest.raises(ValueError, match="one number of steps"):
        windows(4, x, cont[1:])
    with pytest.raises(ValueError, match="one number of steps"):
        windows(4)
    with pytest.raises(ValueError, match=r"sequences\[1\].*dimensions"):
        windows(4, x.transpose(0, 1), torch.zeros(3), dim=1)
    with pytest.raises(TypeError, match=r"sequences\[0\]"):
        windows(4, [1, 2])  # type: ignore[arg-type]
