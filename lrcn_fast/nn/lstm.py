"""``LSTM``: torch.nn.LSTM's contract, with resets, static input, lengths and cell states."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter, RNNBase, init
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lrcn_fast import functional
from lrcn_fast._arguments import (
    check_cont,
    check_like,
    check_pair,
    check_recompute_every,
    describe,
    inside_transforms,
)
from lrcn_fast.functional._packed import packed_lstm

__all__ = ["LSTM"]


# Not a subclass of torch.nn.LSTM: torch.compile breaks the graph at every instance of that.
class LSTM(RNNBase):
    """Multi-layer long short-term memory.

    Parameters, their names, shapes and initial values, and the state_dict are those of
    :class:`torch.nn.LSTM`, so either module loads the other's weights.

    Args:
        input_size: I.
        hidden_size: H.
        num_layers: L.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        batch_first: input, output, cont and cells are (B, T, ..) instead of (T, B, ..).
        dropout: probability with which outputs of all layers but the last are dropped in training.
        bidirectional: add a second direction, D = 2.
        proj_size: width P of the projected state, 0 for none.
        device: device of the parameters.
        dtype: dtype of the parameters.
        static_size: S, the size of an input that is the same at all steps of a sequence; it adds
            ``weight_is_l0`` (4H, S) and, when bidirectional, ``weight_is_l0_reverse``.
            This is ``x_static`` of Caffe's LSTM layer.
        recompute_every: k, to train on long sequences: the backward computes windows of k steps
            anew instead of keeping everything, see :func:`lrcn_fast.functional.lstm`. An attribute:
            it may be set at any time.
        keep_state: start each call without ``hx`` from the state that the one before ended with, as
            Caffe's recurrent layers do. No gradient flows from call to call: windows of a long
            sequence, one after another, are truncated backpropagation through time. ``cont`` cuts
            the state where a sequence starts, :meth:`reset_state` forgets it. Not with
            ``bidirectional``. An attribute too.
    """

    # In the class: convert() and modules pickled before an option existed have only torch's.
    static_size: int = 0
    recompute_every: int | None = None
    keep_state: bool = False
    # No buffers: DistributedDataParallel would give every process the first one's.
    _kept: tuple[Tensor, Tensor] | None = None
    # Those that every LSTM has, or one with a bias or a static input; base class and __init__ make
    # them.
    weight_ih_l0: Parameter
    weight_hh_l0: Parameter
    bias_ih_l0: Parameter
    bias_hh_l0: Parameter
    weight_is_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        static_size: int = 0,
        recompute_every: int | None = None,
        keep_state: bool = False,
    ) -> None:
        if keep_state and bidirectional:
            raise ValueError("keep_state: expected False, because bidirectional=True sees the end")
        if type(static_size) is not int or static_size < 0:
            raise ValueError(f"static_size: expected an integer >= 0, got {static_size!r}")
        check_recompute_every(recompute_every)
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device=device,
            dtype=dtype,
        )
        self.static_size = static_size
        self.recompute_every = recompute_every
        self.keep_state = keep_state
        if static_size == 0:
            return
        # After the others, so that those begin as torch.nn.LSTM's do under the same seed.
        bound = 1.0 / math.sqrt(hidden_size)
        for name in self._static_names():
            weight = torch.empty((4 * hidden_size, static_size), device=device, dtype=dtype)
            self.register_parameter(name, Parameter(weight))
            init.uniform_(weight, -bound, bound)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Tensor, Tensor] | None = None,
        *,
        cont: Tensor | None = None,
        static: Tensor | None = None,
        lengths: Tensor | None = None,
        return_cells: bool = False,
    ) -> tuple[Any, ...]:
        """Run the LSTM over whole sequences.

        Args:
            input: (T, B, I), with ``batch_first`` (B, T, I), unbatched (T, I), or a PackedSequence.
            hx: initial h (L*D, B, P) and c (L*D, B, H), unbatched without B; zeros when None, or
                with ``keep_state`` what the call before left.
            cont: (T, B), with ``batch_first`` (B, T), unbatched (T,); bool or number. Where it is
                zero the step starts a new sequence and the previous state is replaced by zeros.
                The reverse direction is cleared when it leaves the sequence that starts there.
            static: (B, S), unbatched (S,), added to the gates of the first layer at every step.
            lengths: (B,) integers within 0..T, on any device and in any order: steps past a row's
                length do not exist, as in a PackedSequence. Not with a PackedSequence.
            return_cells: also return the last layer's cell states.

        Returns:
            output (T, B, D*P), (h_n (L*D, B, P), c_n (L*D, B, H)), and with ``return_cells`` the
            cell states (T, B, D*H). A PackedSequence in gives PackedSequences out, and rows of
            hx, static and cont are in the order the sequences had before packing.

        Raises:
            ValueError: a shape, device or value is wrong.
            TypeError: a dtype is wrong.
            NotImplementedError: a PackedSequence comes while ``torch.export`` traces.
        """
        if (static is not None) != (self.static_size > 0):
            wanted = f"a tensor (B, {self.static_size})" if self.static_size else "None"
            raise ValueError(
                f"static: expected {wanted} because static_size={self.static_size}, "
                f"got {describe(static)}"
            )
        if not self.keep_state:
            return self._run(input, hx, cont, static, lengths, return_cells)
        if hx is None:
            hx = self._kept_for(input)
        result = self._run(input, hx, cont, static, lengths, return_cells)
        # Copies: the caller may change what is returned.
        h_n, c_n = result[1]
        self._kept = h_n.detach().clone(), c_n.detach().clone()
        return result

    def reset_state(self, rows: Tensor | None = None) -> None:
        """Forget the state that ``keep_state`` kept, as at the start of new sequences.

        Args:
            rows: (B,) bool, which rows start anew; None for all, whose number may then change.

        Raises:
            ValueError: ``rows`` does not fit the rows of the state.
            TypeError: ``rows`` is no tensor of bools.
        """
        if rows is None or self._kept is None:
            self._kept = None
            return
        h, c = self._kept
        if not isinstance(rows, Tensor) or rows.dtype != torch.bool:
            raise TypeError(f"rows: expected a tensor of bools, got {describe(rows)}")
        if h.dim() != 3 or rows.shape != h.shape[1:2]:
            raise ValueError(f"rows: expected (B,) for states {describe(h)}, got {describe(rows)}")
        started = rows.to(h.device).unsqueeze(1)
        self._kept = h.masked_fill(started, 0), c.masked_fill(started, 0)

    @property
    def kept_state(self) -> tuple[Tensor, Tensor] | None:
        """What the next call starts from, shaped like ``hx``; None before the first call."""
        return self._kept

    def _kept_for(self, input: Tensor | PackedSequence) -> tuple[Tensor, Tensor] | None:
        if self.bidirectional:
            raise ValueError("keep_state: expected False, because bidirectional=True sees the end")
        if inside_transforms() or torch.compiler.is_exporting():
            raise NotImplementedError(
                "keep_state: a state cannot be kept under torch.func, torch.export or forward "
                "mode; give hx instead"
            )
        if self._kept is None or not isinstance(input, Tensor | PackedSequence):
            return None
        h, c = self._kept
        batch = None
        if isinstance(input, PackedSequence):
            data, batch = input.data, int(input.batch_sizes[0])
        elif input.dim() == 3:
            data, batch = input, input.shape[0 if self.batch_first else 1]
        else:
            data = input
        kept = h.shape[1] if h.dim() == 3 else None
        if batch != kept:
            raise ValueError(
                f"input: expected {_rows(kept)} as in the call before, whose state is kept, got "
                f"{_rows(batch)}; reset_state() lets the number change"
            )
        return h.to(data), c.to(data)

    def _apply(self, fn: Any, recurse: bool = True) -> "LSTM":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self._kept is not None:
            h, c = self._kept
            self._kept = fn(h), fn(c)
        return self

    def _run(
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Tensor, Tensor] | None,
        cont: Tensor | None,
        static: Tensor | None,
        lengths: Tensor | None,
        return_cells: bool,
    ) -> tuple[Any, ...]:
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("lengths: expected None, because a PackedSequence has its own")
            return self._packed(input, hx, cont, static, return_cells)
        if isinstance(input, Tensor) and input.dim() == 2:
            return self._unbatched(input, hx, cont, static, lengths, return_cells)
        return self._padded(
            input,
            hx,
            self.batch_first,
            cont=cont,
            static=static,
            lengths=lengths,
            return_cells=return_cells,
        )

    def flatten_parameters(self) -> None:
        """Do nothing: there is no layout of the parameters in memory that would be faster."""

    def _static_names(self) -> list[str]:
        names = ["weight_is_l0", "weight_is_l0_reverse"]
        return names[: 2 if self.bidirectional else 1] if self.static_size > 0 else []

    def _params(self) -> list[Tensor]:
        statics = self._static_names()
        params: list[Tensor] = []
        for index, names in enumerate(self._all_weights):
            params.extend(getattr(self, name) for name in names)
            if index < len(statics):
                params.append(getattr(self, statics[index]))
        return params

    def _padded(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None, batch_first: bool, **options: Any
    ) -> tuple[Any, ...]:
        return functional.lstm(
            input,
            hx,
            self._params(),
            num_layers=self.num_layers,
            bias=self.bias,
            batch_first=batch_first,
            dropout=self.dropout,
            training=self.training,
            bidirectional=self.bidirectional,
            proj_size=self.proj_size,
            recompute_every=self.recompute_every,
            **options,
        )

    def _unbatched(
        self,
        input: Tensor,
        hx: tuple[Tensor, Tensor] | None,
        cont: Tensor | None,
        static: Tensor | None,
        lengths: Tensor | None,
        return_cells: bool,
    ) -> tuple[Any, ...]:
        for name, value, dims in (
            ("cont", cont, 1),
            ("static", static, 1),
            ("lengths", lengths, 0),
        ):
            if value is not None and (not isinstance(value, Tensor) or value.dim() != dims):
                raise ValueError(
                    f"{name}: expected {dims} dimensions, because input is unbatched, "
                    f"got {describe(value)}"
                )
        if hx is not None and any(state.dim() != 2 for state in check_pair(hx)):
            raise ValueError(
                f"hx: expected 2 dimensions (L*D, H), because input is unbatched, "
                f"got {', '.join(describe(state) for state in hx)}"
            )
        output, (h_n, c_n), *cells = self._padded(
            input.unsqueeze(1),
            None if hx is None else (hx[0].unsqueeze(1), hx[1].unsqueeze(1)),
            False,
            cont=None if cont is None else cont.unsqueeze(1),
            static=None if static is None else static.unsqueeze(0),
            lengths=None if lengths is None else lengths.unsqueeze(0),
            return_cells=return_cells,
        )
        states = (h_n.squeeze(1), c_n.squeeze(1))
        return (output.squeeze(1), states, *(cell.squeeze(1) for cell in cells))

    def _packed(
        self,
        input: PackedSequence,
        hx: tuple[Tensor, Tensor] | None,
        cont: Tensor | None,
        static: Tensor | None,
        return_cells: bool,
    ) -> tuple[Any, ...]:
        if torch.compiler.is_exporting():
            raise NotImplementedError(
                "input: a PackedSequence cannot be exported, because how many steps and rows it "
                "has is among its values; give the padded sequence and lengths instead"
            )
        found = None
        plain = hx is None and cont is None and static is None and not self.recompute_every
        if plain and not (self.dropout > 0 and self.training):
            found = packed_lstm(
                input.data,
                input.batch_sizes,
                self._params(),
                num_layers=self.num_layers,
                bias=self.bias,
                bidirectional=self.bidirectional,
                proj_size=self.proj_size,
                return_cells=return_cells,
            )
        if found is None:
            found = self._padded_and_packed(input, hx, cont, static, return_cells)
        output, (h_n, c_n), *cells = found
        # Rows are in the order of their lengths, as packing left them: back to the caller's.
        order, back = input.sorted_indices, input.unsorted_indices
        if back is not None:
            h_n, c_n = h_n.index_select(1, back), c_n.index_select(1, back)

        def packed(data: Tensor) -> PackedSequence:
            return PackedSequence(data, input.batch_sizes, order, back)

        return (packed(output), (h_n, c_n), *(packed(cell) for cell in cells))

    def _padded_and_packed(
        self,
        input: PackedSequence,
        hx: tuple[Tensor, Tensor] | None,
        cont: Tensor | None,
        static: Tensor | None,
        return_cells: bool,
    ) -> tuple[Any, ...]:
        order = input.sorted_indices
        padded, lengths = pad_packed_sequence(PackedSequence(input.data, input.batch_sizes))
        # Before anything is sorted: that would take rows from arguments of a wrong size in silence.
        steps, batch = padded.shape[:2]
        if hx is not None:
            for name, state in zip(("hx[0]", "hx[1]"), check_pair(hx)):
                if state.dim() != 3 or state.shape[1] != batch:
                    raise ValueError(
                        f"{name}: expected (L*D, B, H) with B = {batch}, got {describe(state)}"
                    )
        if cont is not None and self.batch_first:
            cont = check_cont(cont, (batch, steps), "(B, T)", padded).transpose(0, 1)
        elif cont is not None:
            cont = check_cont(cont, (steps, batch), "(T, B)", padded)
        if static is not None:
            check_like("static", static, (batch, self.static_size), "(B, S)", padded)
        if order is not None:
            hx = (
                None if hx is None else (hx[0].index_select(1, order), hx[1].index_select(1, order))
            )
            cont = None if cont is None else cont.index_select(1, order)
            static = None if static is None else static.index_select(0, order)
        output, states, *cells = self._padded(
            padded, hx, False, cont=cont, static=static, lengths=lengths, return_cells=return_cells
        )
        sequences = [pack_padded_sequence(x, lengths).data for x in (output, *cells)]
        return (sequences[0], states, *sequences[1:])

    def extra_repr(self) -> str:
        """Describe the options that differ from their defaults."""
        text: str = super().extra_repr()
        if self.static_size:
            text += f", static_size={self.static_size}"
        if self.recompute_every:
            text += f", recompute_every={self.recompute_every}"
        return f"{text}, keep_state=True" if self.keep_state else text


def _rows(batch: int | None) -> str:
    return "an unbatched sequence" if batch is None else f"B = {batch}"
