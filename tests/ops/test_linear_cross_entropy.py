"""The loss of a vocabulary against torch's product and cross-entropy."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from lrcn_fast import reference
from lrcn_fast.functional import linear_cross_entropy
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_equal_to_oracle, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
BACKENDS = ["native", "reference"]


def draw(rows: int, width: int, words: int, dtype: torch.dtype, bias: bool = True) -> list[Tensor]:
    tensors = [torch.randn(rows, width), torch.randn(words, width), torch.randn(words)]
    return [tensor.to(dtype).requires_grad_() for tensor in tensors[: 2 + bias]]


def draw_targets(rows: int, words: int, ignored: float) -> Tensor:
    targets = torch.randint(0, words, (rows,))
    return targets.masked_fill(torch.rand(rows) < ignored, -1)


def run_torch(leaves: list[Tensor], targets: Tensor) -> tuple[Tensor, ...]:
    """The loss, at least in float32, and its gradients; torch has NaN where nothing counts."""
    scores = F.linear(*leaves)
    wide = scores if scores.dtype == torch.float64 else scores.float()
    loss = F.cross_entropy(wide, targets, ignore_index=-1, reduction="sum")
    loss = loss / (targets >= 0).sum().clamp(min=1)
    return loss, *torch.autograd.grad(2 * loss, leaves)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("ignored", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("bias", [False, True])
def test_against_torch(bias: bool, ignored: float, dtype: torch.dtype, backend: str) -> None:
    leaves = draw(60, 33, 47, dtype, bias)
    targets = draw_targets(60, 47, ignored)
    with poisoned_memory():
        loss = linear_cross_entropy(*leaves, *[None] * (not bias), targets, backend=backend)
        found = loss, *torch.autograd.grad(2 * loss, leaves)
    torchs = run_torch(leaves, targets)
    exact = run_torch([leaf.detach().double().requires_grad_() for leaf in leaves], targets)
    for name, *three in zip(("loss", "hidden", "weight", "bias"), found, torchs, exact):
        assert_no_worse_than_torch(*three, name)
    if ignored == 1:
        assert all(not value.any() for value in found)


@given(
    rows=st.integers(0, 5),
    width=st.integers(1, 4),
    words=st.integers(1, 5),
    ignored=st.sampled_from([0.0, 0.4]),
    strided=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_every_shape(
    rows: int, width: int, words: int, ignored: float, strided: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    leaves = draw(2 * rows, width, words, torch.float64)
    targets = draw_targets(2 * rows, words, ignored)
    sequence = leaves[0].view(2, rows, width)
    shaped = targets.view(2, rows)
    if strided:
        sequence, shaped = sequence.transpose(0, 1), shaped.t()
    loss = linear_cross_entropy(sequence, *leaves[1:], shaped)
    found = loss, *torch.autograd.grad(2 * loss, leaves)
    for name, *two in zip(("loss", "hidden", "weight", "bias"), found, run_torch(leaves, targets)):
        assert_equal_to_oracle(*two, name)


@pytest.mark.parametrize("needed", [(0,), (1,), (2,), (0, 2), ()])
def test_only_what_is_asked_for(needed: tuple[int, ...]) -> None:
    leaves = draw(9, 4, 5, torch.float64)
    targets = draw_targets(9, 5, 0.3)
    expected = run_torch(leaves, targets)
    some = [leaf.detach().requires_grad_(k in needed) for k, leaf in enumerate(leaves)]
    loss = linear_cross_entropy(*some, targets)
    assert_equal_to_oracle(loss, expected[0], "loss")
    assert loss.requires_grad == bool(needed)
    if needed:
        found = torch.autograd.grad(2 * loss, [some[k] for k in needed])
        for k, gradient in zip(needed, found, strict=True):
            assert_equal_to_oracle(gradient, expected[1 + k], f"gradient {k}")


def test_reference_gradient_is_autograds() -> None:
    """The hand-derived backward against autograd of the same formula."""
    leaves = draw(9, 4, 5, torch.float64)
    targets = draw_targets(9, 5, 0.3)
    loss, *found = reference.linear_cross_entropy(*leaves, targets, -1, True, True, True)
    counted = targets >= 0
    scores = (leaves[0] @ leaves[1].t() + leaves[2])[counted]
    expected = -scores.log_softmax(1).gather(1, targets[counted].unsqueeze(1)).mean()
    assert_equal_to_oracle(loss, expected, "loss")
    for ours, theirs in zip(found, torch.autograd.grad(expected, leaves), strict=True):
        assert_equal_to_oracle(ours, theirs, "gradient")


@pytest.mark.parametrize("suffix", ["", "_reference"])
def test_opcheck(suffix: str) -> None:
    operator = getattr(OPS, "linear_cross_entropy" + suffix).default
    leaves, targets = draw(9, 4, 5, torch.float32), draw_targets(9, 5, 0.3)
    torch.library.opcheck(operator, (*leaves, targets, -1, True, True, True))
    torch.library.opcheck(
        operator, (leaves[0], leaves[1], None, targets.clamp(min=0), 3, True, True, False)
    )
    plain = [leaf.detach() for leaf in leaves]
    torch.library.opcheck(operator, (*plain, targets))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradcheck(backend: str) -> None:
    targets = draw_targets(6, 5, 0.3)
    assert torch.autograd.gradcheck(
        lambda *leaves: linear_cross_entropy(*leaves, targets, backend=backend),
        draw(6, 4, 5, torch.float64),
    )


class Head(torch.nn.Module):
    """A vocabulary's last layer with its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.predict = torch.nn.Linear(4, 5)

    def forward(self, hidden: Tensor, targets: Tensor) -> Tensor:
        return linear_cross_entropy(hidden, self.predict.weight, self.predict.bias, targets)


def test_compile() -> None:
    head = Head().double()
    compiled = torch.compile(head, fullgraph=True, dynamic=True, backend="aot_eager")
    for rows in (6, 9):
        hidden = torch.randn(rows, 4, dtype=torch.float64, requires_grad=True)
        targets = draw_targets(rows, 5, 0.4)
        leaves = [hidden, *head.parameters()]
        losses = compiled(hidden, targets), head(hidden, targets)
        gradients = [torch.autograd.grad(loss, leaves) for loss in losses]
        for ours, theirs in zip([losses[0], *gradients[0]], [losses[1], *gradients[1]]):
            assert_equal_to_oracle(ours, theirs, "compiled")


def test_export() -> None:
    head = Head()
    example = torch.randn(6, 4), draw_targets(6, 5, 0.3)
    rows = torch.export.Dim("rows")
    program = torch.export.export(head, example, dynamic_shapes=({0: rows}, {0: rows}))
    other = torch.randn(11, 4), draw_targets(11, 5, 0.3)
    assert torch.equal(program.module()(*other), head(*other))


def test_autocast() -> None:
    leaves, targets = draw(9, 4, 5, torch.float32), draw_targets(9, 5, 0.3)
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(*leaves, targets)
    assert loss.dtype == torch.float32
    gradients = torch.autograd.grad(loss, leaves)
    half = linear_cross_entropy(*(leaf.bfloat16() for leaf in leaves), targets)
    assert torch.equal(loss, half)
    assert [gradient.dtype for gradient in gradients] == [torch.float32] * 3


def test_second_derivatives_are_refused() -> None:
    leaves, targets = draw(9, 4, 5, torch.float64), draw_targets(9, 5, 0.3)
    loss = linear_cross_entropy(*leaves, targets)
    (gradient,) = torch.autograd.grad(loss, leaves[:1], create_graph=True)
    assert not gradient.requires_grad


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hidden": torch.zeros(3, 4).long()}, TypeError, "hidden: expected a floating dtype"),
        ({"hidden": torch.tensor(1.0)}, ValueError, r"hidden: expected shape \(.., H\)"),
        ({"weight": torch.zeros(5, 3)}, ValueError, r"weight: expected shape \(V, H\) = \(5, 4\)"),
        ({"weight": torch.zeros(0, 4)}, ValueError, "weight: expected shape .* V >= 1"),
        ({"weight": torch.zeros(5, 4).double()}, TypeError, "weight: expected dtype .*float32"),
        ({"bias": torch.zeros(4)}, ValueError, r"bias: expected shape \(V,\) = \(5,\)"),
        ({"targets": torch.zeros(3)}, TypeError, "targets: expected int64 or int32"),
        ({"targets": torch.zeros(4).long()}, ValueError, r"targets: expected shape \(3,\)"),
        ({"targets": torch.tensor([0, 5, 1])}, ValueError, r"targets: .* 0\.\.4 or .*= -1, got 5"),
        ({"targets": torch.tensor([0, -2, 1])}, ValueError, "targets: .* got -2"),
        ({"backend": "none"}, ValueError, "backend: expected 'auto' or one of"),
    ],
)
def test_bad_arguments(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {
        "hidden": torch.zeros(3, 4),
        "weight": torch.zeros(5, 4),
        "bias": torch.zeros(5),
        "targets": torch.zeros(3, dtype=torch.int32),
    }
    linear_cross_entropy(**arguments)
    with pytest.raises(error, match=message):
        linear_cross_entropy(**{**arguments, **change})  # type: ignore[arg-type]
