"""``FrameFeatures``: a CNN on the frames of a batch of clips, the valid ones alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lrcn_fast._arguments import check_lengths, describe
from lrcn_fast.nn._evaluating import evaluating

__all__ = ["FrameFeatures"]

Piece = tuple[Tensor, Tensor | None]
"""A chunk's part of a tensor: as it is, or the tensor (T, B, ..) and the rows of it to gather."""


class FrameFeatures(nn.Module):
    """Run a network for images on all valid frames of a batch of clips.

    Time is folded into the batch: frame t of clip b is row t*B + b, as in Caffe. Padding is neither
    read nor computed, and its features are zero. Where no parameter needs a gradient, no graph is
    made; dropout acts in training all the same, as in Caffe. A program of ``torch.export`` computes
    all frames at once, padding too.

    Batch normalisation in training takes its statistics from the valid frames of one chunk, and
    with ``recompute`` updates the running ones twice.

    Args:
        net: maps images (N, C, Y, X) to features (N, F) or (N, F, 1, 1). Whatever else follows N is
            flattened, as Caffe's InnerProduct does.
        preprocess: maps frames (N, ..) as they come to the network's images (N, C, Y, X), one chunk
            at a time; for pixels in uint8 :func:`lrcn_fast.functional.frames_to_input` with its
            options bound by :func:`functools.partial`.
        max_frames: how many frames are computed at once; None for all.
        recompute: keep no activations of a chunk but compute them anew in the backward: with
            ``max_frames`` the memory of training hardly grows with the length of the clips.
            Dropout drops the same values again.
        batch_first: frames, mask and features are (B, T, ..) instead of (T, B, ..).
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Callable[..., Tensor] | None = None,
        max_frames: int | None = None,
        recompute: bool = False,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise TypeError(f"net: expected a torch.nn.Module, got {describe(net)}")
        if max_frames is not None and (type(max_frames) is not int or max_frames < 1):
            raise ValueError(f"max_frames: expected an integer >= 1 or None, got {max_frames!r}")
        self.net = net
        self.preprocess = preprocess
        self.max_frames = max_frames
        self.recompute = recompute
        self.batch_first = batch_first

    def forward(
        self,
        frames: Tensor,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        **options: Tensor,
    ) -> Tensor:
        """Compute the features of all valid frames.

        The host does not wait for a GPU but once for the values of a mask or of lengths there.

        Args:
            frames: (T, B, C, Y, X), floating; with ``preprocess`` (T, B, ..) of what that takes.
                With ``batch_first`` (B, T, ..).
            lengths: (B,) integers within 0..T, on any device: the steps of each clip that count.
            mask: (T, B) bool, on any device: the frames that count. Not together with ``lengths``.
            options: what ``preprocess`` takes by keyword for each frame, such as ``offsets``
                (T, B, 2) and ``mirror`` (T, B): tensors (T, B, ..), of which it gets the rows
                (n, ..) of its frames.

        Returns:
            (T, B, F). Where no frame counts, F comes from one image of zeros in evaluation mode.

        Raises:
            TypeError: a dtype is wrong.
            ValueError: a shape or value is wrong.
        """
        tensors = {"frames": frames, **options}
        self._check(tensors)
        lead = frames.shape[:2]
        valid = self._valid(lead, lengths, mask)
        if torch.compiler.is_exporting():
            return self._all(tensors, valid)
        rows = None if valid is None else _rows(valid)
        count = lead.numel() if rows is None else len(rows)
        if count == 0:
            blank = {name: x.new_zeros(1, *x.shape[2:]) for name, x in tensors.items()}
            with torch.no_grad(), evaluating(self):
                features = self._compute({name: (x, None) for name, x in blank.items()})
            return features.new_zeros(*lead, features.shape[1])
        if rows is not None:
            rows = rows.to(frames.device, non_blocking=True)
        at_once = min(self.max_frames or count, count)
        pieces = [_pieces(x, rows, at_once) for x in tensors.values()]
        chunks = [dict(zip(tensors, chunk)) for chunk in zip(*pieces, strict=True)]
        features = torch.cat([self._chunk(chunk) for chunk in chunks])
        if rows is not None:
            zeros = features.new_zeros(lead.numel(), features.shape[1])
            features = zeros.index_copy(0, rows, features)
        return features.view(*lead, -1)

    def _check(self, tensors: dict[str, Tensor]) -> None:
        letters = "(B, T, " if self.batch_first else "(T, B, "
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{name}: expected a tensor, got {describe(tensor)}")
            if name != "frames" and self.preprocess is None:
                raise TypeError(
                    f"{name}: expected nothing, because there is no preprocess to take it"
                )
            if tensor.dim() < 2 or tensor.shape[:2] != tensors["frames"].shape[:2]:
                raise ValueError(f"{name}: expected shape {letters}..), got {describe(tensor)}")
        frames = tensors["frames"]
        if self.preprocess is not None:
            return
        if frames.dim() != 5:
            raise ValueError(f"frames: expected shape {letters}C, Y, X), got {describe(frames)}")
        if not frames.is_floating_point():
            raise TypeError(
                f"frames: expected a floating dtype, got {describe(frames)}; convert the pixels "
                "and subtract the mean first, or give a preprocess that does"
            )

    def _valid(
        self, lead: torch.Size, lengths: Tensor | None, mask: Tensor | None
    ) -> Tensor | None:
        """Which of the frames count, bool in their layout; None for all of them."""
        if lengths is not None and mask is not None:
            raise ValueError("mask: expected None, because lengths say which frames count")
        if lengths is not None:
            batch, steps = lead if self.batch_first else reversed(lead)
            # Tracing stays on the graph's device; else they are wanted on the host.
            device = lengths.device if torch.compiler.is_exporting() else "cpu"
            lengths = check_lengths(lengths, batch, steps, torch.empty(0, device=device))
            valid = torch.arange(steps, device=device) < lengths.unsqueeze(1)
            return valid if self.batch_first else valid.T
        if mask is not None:
            if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
                raise TypeError(f"mask: expected a bool tensor, got {describe(mask)}")
            if mask.shape != lead:
                raise ValueError(f"mask: expected shape {tuple(lead)}, got {describe(mask)}")
        return mask

    def _all(self, tensors: dict[str, Tensor], valid: Tensor | None) -> Tensor:
        """Features (T, B, F) where no count of valid frames is known: of all, zero in padding."""
        folded = self._compute({name: (x.flatten(0, 1), None) for name, x in tensors.items()})
        features: Tensor = folded.unflatten(0, tensors["frames"].shape[:2])
        if valid is None:
            return features
        return torch.where(valid.unsqueeze(2), features, features.new_zeros(()))

    def _chunk(self, pieces: dict[str, Piece]) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            features: Tensor = checkpoint(self._compute, pieces, use_reentrant=False)
            return features
        return self._compute(pieces)

    def _compute(self, pieces: dict[str, Piece]) -> Tensor:
        """Features (n, F) of one chunk."""
        values = {
            name: x if rows is None else _gather(x, rows) for name, (x, rows) in pieces.items()
        }
        frames = values.pop("frames")
        images = frames if self.preprocess is None else self.preprocess(frames, **values)
        features = self.net(images)
        # Not len(): it would bind an exported program to the number of frames that is traced.
        count = frames.shape[0]
        if not isinstance(features, Tensor) or features.dim() < 2 or features.shape[0] != count:
            raise ValueError(
                f"net: expected features ({count}, F) of {count} frames, got {describe(features)}"
            )
        return features.flatten(1)

    def extra_repr(self) -> str:
        """The options that differ from their defaults."""
        options = {
            "max_frames": self.max_frames,
            "recompute": self.recompute,
            "batch_first": self.batch_first,
        }
        return ", ".join(f"{name}={value}" for name, value in options.items() if value)


def _rows(valid: Tensor) -> Tensor | None:
    """Which of the folded frames count, int64 on the CPU; None for all of them."""
    rows = valid.cpu().flatten().nonzero().squeeze(1)
    return None if len(rows) == valid.numel() else rows


def _gather(x: Tensor, rows: Tensor) -> Tensor:
    return x[rows // x.shape[1], rows % x.shape[1]]


def _pieces(x: Tensor, rows: Tensor | None, size: int) -> list[Piece]:
    """The valid rows of a tensor (T, B, ..), or all of them, in chunks of ``size``.

    They are gathered where a chunk is computed, so that no copy of all of them is ever made.
    """
    columns = x.shape[1]
    folds = x.shape[0] == 1 or columns == 1 or x.stride(0) == columns * x.stride(1)
    # A gradient comes back to one gather: many would each fill one of the size of all frames.
    if x.requires_grad or (rows is None and folds):
        whole = x.flatten(0, 1) if rows is None else _gather(x, rows)
        return [(piece, None) for piece in whole.split(size)]
    if rows is None:
        rows = torch.arange(x.shape[0] * columns, device=x.device)
    return [(x, part) for part in rows.split(size)]
