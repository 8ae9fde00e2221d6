"""Windows of long sequences, for truncated backpropagation through time."""

from collections.abc import Iterator

from torch import Tensor

from lrcn_fast._arguments import describe

__all__ = ["windows"]


def windows(
    every: int, *sequences: Tensor | None, dim: int = 0
) -> Iterator[tuple[Tensor | None, ...]]:
    """Cut sequences into windows of time that follow one another.

    With an ``LSTM(.., keep_state=True)`` a step of the solver on each window is truncated
    backpropagation through time, as with Caffe's recurrent layers, which keep h and c from batch
    to batch.

    Args:
        every: steps of each window but the last, at least 1.
        sequences: of the same T, such as input (T, B, I), cont (T, B) and targets (T, B); None
            stays None.
        dim: where time is: 1 for sequences (B, T, ..).

    Yields:
        Views of all sequences, in their order.

    Raises:
        ValueError: ``every`` is below 1, there is no sequence, or they differ in length.
        TypeError: a sequence is no tensor.
    """
    if type(every) is not int or every < 1:
        raise ValueError(f"every: expected an integer >= 1, got {every!r}")
    lengths = {}
    for number, sequence in enumerate(sequences):
        if sequence is None:
            continue
        if not isinstance(sequence, Tensor):
            raise TypeError(f"sequences[{number}]: expected a tensor, got {describe(sequence)}")
        if sequence.dim() <= dim:
            raise ValueError(
                f"sequences[{number}]: expected more than {dim} dimensions, got "
                f"{describe(sequence)}"
            )
        lengths[number] = sequence.shape[dim]
    if len(set(lengths.values())) != 1:
        raise ValueError(f"sequences: expected one number of steps, got {lengths}")
    steps = next(iter(lengths.values()))
    # A generator of its own, so that wrong arguments are refused before the first window.
    return (
        tuple(
            None if x is None else x.narrow(dim, begin, min(every, steps - begin))
            for x in sequences
        )
        for begin in range(0, steps, every)
    )
