"""ReLU, maximum Pooling and LRN layers in a row, which one operator computes in one pass."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from lrcn_fast.caffe.graph import Step
from lrcn_fast.caffe.layers import LRN, Pooling, ReLU
from lrcn_fast.functional import relu_max_pool_lrn

__all__ = ["fused", "run_chain"]


def fused(
    steps: Sequence[Step], wanted: Iterable[int], layer_of: Callable[[str], nn.Module]
) -> list[Step]:
    """Join steps whose blobs between nobody else reads.

    Args:
        steps: what has to run, in order.
        wanted: the blobs that were asked for.
        layer_of: the module of a name.

    Returns:
        The steps, those of a chain as one that names all its layers.
    """
    readers = Counter(number for step in steps for number in step.bottoms)
    readers.update(wanted)
    next_step = {number: step for step in steps for number in step.bottoms}
    taken: set[Step] = set()
    joined = []
    for first in steps:
        if first in taken:
            continue
        chain, kinds = [first], [_kind(layer_of(first.layers[0]))]
        while kinds[-1] is not None and readers[chain[-1].tops[0]] == 1:
            following = next_step.get(chain[-1].tops[0])
            kind = None if following is None else _kind(layer_of(following.layers[0]))
            if following is None or kind in (None, ReLU) or kind in kinds:
                break
            chain.append(following)
            kinds.append(kind)
        taken.update(chain)
        names = tuple(step.layers[0] for step in chain)
        joined.append(Step(names, first.bottoms, chain[-1].tops))
    return joined


def _kind(layer: nn.Module) -> type[nn.Module] | None:
    """What part of the operator a layer is, None where it is none."""
    # Whoever hangs a hook on a layer wants it to be called.
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks:
        return None
    if isinstance(layer, ReLU):
        return None if layer.negative_slope else ReLU
    if isinstance(layer, Pooling):
        return Pooling if layer.is_plain_maximum else None
    return LRN if isinstance(layer, LRN) and layer.across_channels else None


def run_chain(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Run the layers of one chain on (N, C, Y, X)."""
    pool = next((layer for layer in layers if isinstance(layer, Pooling)), None)
    norm = next((layer for layer in layers if isinstance(layer, LRN)), None)
    if pool is not None:
        pool.check_windows(x)
    return relu_max_pool_lrn(
        x,
        relu=isinstance(layers[0], ReLU),
        order="lrn_pool" if isinstance(layers[-1], Pooling) else "pool_lrn",
        **({"kernel_size": None} if pool is None else pool.options()),
        **({"lrn_size": None} if norm is None else norm.options()),
    )
