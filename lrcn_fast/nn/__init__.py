"""Drop-in ``torch.nn`` modules, and the CNNs that LRCN sees frames with."""

from lrcn_fast.nn.caffe_nets import CaffeNet, HybridNet
from lrcn_fast.nn.convert import convert
from lrcn_fast.nn.fold_mean import fold_mean
from lrcn_fast.nn.frame_features import FrameFeatures
from lrcn_fast.nn.lstm import LSTM
from lrcn_fast.nn.lstm_cell import LSTMCell
from lrcn_fast.nn.vgg import VGG16

__all__ = [
    "LSTM",
    "VGG16",
    "CaffeNet",
    "FrameFeatures",
    "HybridNet",
    "LSTMCell",
    "convert",
    "fold_mean",
]
