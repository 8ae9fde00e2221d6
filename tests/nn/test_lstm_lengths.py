"""PackedSequence and lengths of the module."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import lrcn_fast
from lrcn_fast.functional import _columns
from tests.helpers.modules import LAYOUTS, Layout, named_gradients, twins
from tests.helpers.tolerance import GRADIENT, assert_bitwise_equal, assert_equal_to_oracle

LENGTHS = [[7, 5, 4, 1], [4, 7, 1, 5]]


@pytest.fixture(params=["padded", "columns"], autouse=True)
def least_saved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """These sizes are padded by themselves."""
    if request.param == "columns":
        monkeypatch.setattr(_columns, "LEAST_SAVED", 0)


@pytest.mark.parametrize("lengths", LENGTHS, ids=["sorted", "unsorted"])
@pytest.mark.parametrize("enforce_sorted", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_packed_sequence(
    layout: Layout, with_state: bool, enforce_sorted: bool, lengths: list[int]
) -> None:
    if enforce_sorted:
        lengths = sorted(lengths, reverse=True)
    theirs, ours = twins(layout)
    x = layout.sequence(7, 4)
    hx = layout.state(4) if with_state else None
    packed = pack_padded_sequence(x, torch.tensor(lengths), layout.batch_first, enforce_sorted)
    expected, expected_states = theirs(packed, hx)
    actual, states = ours(packed, hx)
    assert isinstance(actual, PackedSequence)
    assert_equal_to_oracle(actual.data, expected.data, "data")
    assert torch.equal(actual.batch_sizes, expected.batch_sizes)
    for mine, other in ((actual.sorted_indices, expected.sorted_indices),
                        (actual.unsorted_indices, expected.unsorted_indices)):  # fmt: skip
        assert (mine is None) == (other is None)
        assert mine is None or torch.equal(mine, other)
    for name, mine, other in zip(("h_n", "c_n"), states, expected_states, strict=True):
        assert_equal_to_oracle(mine, other, name)
    expected.data.square().sum().backward()
    actual.data.square().sum().backward()
    wanted = named_gradients(theirs)
    for name, gradient in named_gradients(ours).items():
        assert_equal_to_oracle(gradient, wanted[name], name, GRADIENT)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_lengths_are_packed_sequence_semantics(layout: Layout, dtype: torch.dtype) -> None:
    theirs, ours = twins(layout)
    lengths = torch.tensor(LENGTHS[1])
    x, hx = layout.sequence(7, 4), layout.state(4)
    packed, states = theirs(
        pack_padded_sequence(x, lengths, layout.batch_first, enforce_sorted=False), hx
    )
    expected, _ = pad_packed_sequence(packed, layout.batch_first, total_length=7)
    output, (h_n, c_n) = ours(x, hx, lengths=lengths.to(dtype))
    assert_equal_to_oracle(output, expected, "output")
    assert_equal_to_oracle(h_n, states[0], "h_n")
    assert_equal_to_oracle(c_n, states[1], "c_n")


def test_lengths_of_all_steps_change_nothing() -> None:
    layout = Layout(num_layers=2, bidirectional=True)
    _, ours = twins(layout)
    x = layout.sequence(5, 3)
    expected, actual = ours(x), ours(x, lengths=torch.full((3,), 5))
    assert_bitwise_equal(actual[0], expected[0], "output")
    assert_bitwise_equal(actual[1][1], expected[1][1], "c_n")


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_has_no_effect(batch_first: bool, garbage: float) -> None:
    """Neither on results nor on any gradient, whatever the padding holds."""
    layout = Layout(num_layers=2, bidirectional=True, batch_first=batch_first)
    _, ours = twins(layout)
    lengths = torch.tensor([3, 0, 5])
    clean = layout.sequence(5, 3)
    padding = torch.arange(5)[:, None] >= lengths
    if batch_first:
        padding = padding.T
    dirty = clean.masked_fill(padding.unsqueeze(-1), garbage)
    results = []
    for x in (clean, dirty):
        ours.zero_grad()
        x = x.requires_grad_()
        output, (h_n, c_n), cells = ours(x, lengths=lengths, return_cells=True)
        (output.sum() + h_n.sum() + c_n.sum() + cells.sum()).backward()
        results.append([output, h_n, c_n, cells, x.grad, *named_gradients(ours).values()])
    for number, (ours_clean, ours_dirty) in enumerate(zip(*results, strict=True)):
        assert_bitwise_equal(ours_dirty, ours_clean, f"result {number}")


def test_packed_options_are_in_the_callers_order() -> None:
    """hx, static and cont rows belong to the sequences as they were before packing."""
    for batch_first in (False, True):
        layout = Layout(num_layers=2, bidirectional=True, batch_first=batch_first)
        ours = lrcn_fast.LSTM(**layout.arguments(), static_size=3, dtype=torch.float64)
        lengths = torch.tensor(LENGTHS[1])
        x, hx = layout.sequence(7, 4), layout.state(4)
        cont = torch.rand(x.shape[:2]) > 0.3
        options = {"cont": cont, "static": torch.randn(4, 3, dtype=torch.float64)}
        padded = ours(x, hx, lengths=lengths, return_cells=True, **options)
        packed = ours(
            pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False),
            hx, return_cells=True, **options,
        )  # fmt: skip
        for k in (0, 2):
            unpacked, _ = pad_packed_sequence(packed[k], batch_first, total_length=7)
            assert_equal_to_oracle(unpacked, padded[k], f"sequence {k}")
        assert_equal_to_oracle(packed[1][0], padded[1][0], "h_n")
        assert_equal_to_oracle(packed[1][1], padded[1][1], "c_n")


def test_lengths_are_not_modified_and_need_not_be_contiguous() -> None:
    _, ours = twins(Layout())
    x, lengths = torch.randn(6, 3, 5, dtype=torch.float64), torch.tensor([2, 9, 6, 9, 0, 9])
    before = copy.deepcopy(lengths)
    actual = ours(x, lengths=lengths[::2])[0]
    assert torch.equal(lengths, before)
    assert_bitwise_equal(actual, ours(x, lengths=torch.tensor([2, 6, 0]))[0], "output")


def test_a_nan_state_of_a_row_without_steps_reaches_no_weight() -> None:
    """An idle stream of a batch may hold anything."""
    layout = Layout(bidirectional=True)
    _, ours = twins(layout)
    hx = layout.state(3)
    hx[0][:, 1] = hx[1][:, 1] = float("nan")
    output, _ = ours(layout.sequence(4, 3), hx, lengths=torch.tensor([4, 0, 2]))
    assert output.isfinite().all()
    output.sum().backward()
    assert all(gradient.isfinite().all() for gradient in named_gradients(ours).values())
