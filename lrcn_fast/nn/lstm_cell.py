"""``LSTMCell``: torch.nn.LSTMCell's contract."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import RNNCellBase

from lrcn_fast import functional
from lrcn_fast._arguments import check_pair, describe

__all__ = ["LSTMCell"]


class LSTMCell(RNNCellBase):
    """One LSTM step with the parameters of :class:`torch.nn.LSTMCell`.

    Args:
        input_size: I.
        hidden_size: H.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        device: device of the parameters.
        dtype: dtype of the parameters.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run one step.

        Args:
            input: (B, I), or unbatched (I,).
            hx: previous h and c (B, H), unbatched (H,); zeros when None.

        Returns:
            h and c, shaped like ``hx``.

        Raises:
            ValueError: a shape or device is wrong.
            TypeError: a dtype is wrong.
        """
        if not isinstance(input, Tensor) or input.dim() not in (1, 2):
            raise ValueError(f"input: expected (B, I) or (I,), got {describe(input)}")
        unbatched = input.dim() == 1
        if hx is not None and unbatched:
            if any(state.dim() != 1 for state in check_pair(hx)):
                raise ValueError(
                    "hx: expected 1 dimension (H,), because input is unbatched, "
                    f"got {', '.join(describe(state) for state in hx)}"
                )
            hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        h, c = functional.lstm_cell(
            input.unsqueeze(0) if unbatched else input,
            hx,
            self.weight_ih,
            self.weight_hh,
            self.bias_ih,
            self.bias_hh,
        )
        return (h.squeeze(0), c.squeeze(0)) if unbatched else (h, c)
