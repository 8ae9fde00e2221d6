"""Drop-in ``torch.nn`` modules."""

from lrcn_fast.nn.convert import convert
from lrcn_fast.nn.lstm import LSTM
from lrcn_fast.nn.lstm_cell import LSTMCell

__all__ = ["LSTM", "LSTMCell", "convert"]
