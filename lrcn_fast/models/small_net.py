"""A CNN for CPUs and small frames, to be trained from scratch."""

from torch import Tensor
from torch.nn import init

from lrcn_fast.nn.conv_net import ConvLayer, ConvNet

__all__ = ["SmallNet"]


class SmallNet(ConvNet):
    """Three strided convolutions, 32 x 32 pixels and an fc6 of 128 unless told otherwise.

    Strides instead of pooling keep the place of things, which motion is made of. The arguments are
    those of :class:`lrcn_fast.nn.conv_net.ConvNet`.
    """

    LAYERS = (
        ConvLayer("conv1", 16, 5, stride=2, padding=2),
        ConvLayer("conv2", 32, 3, stride=2, padding=1),
        ConvLayer("conv3", 32, 3, stride=2, padding=1),
    )
    FULLY_CONNECTED = 128
    IMAGE_SIZE = (32, 32)

    def _fill(self, name: str, weight: Tensor, bias: Tensor) -> None:
        if name == "fc8":
            init.normal_(weight, std=0.01)
        else:
            init.kaiming_normal_(weight, nonlinearity="relu")
        init.zeros_(bias)
