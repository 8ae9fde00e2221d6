"""CaffeNet and the CaffeNet/ZF hybrid of the LRCN paper: layers, names and fillers of Caffe's."""

from torch import Tensor
from torch.nn import init

from lrcn_fast.nn.conv_net import ConvLayer, ConvNet

__all__ = ["CaffeNet", "HybridNet"]


class CaffeNet(ConvNet):
    """Caffe's ``bvlc_reference_caffenet``, the CNN of the LRCN paper's captions.

    Images are BGR, 0 to 255 minus the mean, 227 x 227 in the original. Layers are named as in
    Caffe: ``conv1`` to ``conv5``, ``fc6``, ``fc7``, ``fc8``. The arguments are those of
    :class:`ConvNet`.
    """

    LAYERS = (
        ConvLayer("conv1", 96, 11, stride=4, pool=3, norm=True),
        ConvLayer("conv2", 256, 5, padding=2, groups=2, pool=3, norm=True),
        ConvLayer("conv3", 384, 3, padding=1),
        ConvLayer("conv4", 384, 3, padding=1, groups=2),
        ConvLayer("conv5", 256, 3, padding=1, groups=2, pool=3),
    )

    def _fill(self, name: str, weight: Tensor, bias: Tensor) -> None:
        init.normal_(weight, std=0.005 if name in ("fc6", "fc7") else 0.01)
        init.constant_(bias, 0.0 if name in ("conv1", "conv3", "fc8") else 1.0)


class HybridNet(ConvNet):
    """The CaffeNet/ZF hybrid of the LRCN paper's activity recognition (section 4, "hyb2").

    Images are BGR, 0 to 255 minus the mean, 227 x 227 in the original. Layers are named as in
    Caffe: ``conv1`` to ``conv5``, ``fc6``, ``fc7``, ``fc8`` (``fc8-ucf`` of the released
    single-frame net). The arguments are those of :class:`ConvNet`.
    """

    LAYERS = (
        ConvLayer("conv1", 96, 7, stride=2, pool=3, norm=True),
        ConvLayer("conv2", 384, 5, stride=2, groups=2, pool=3, norm=True),
        ConvLayer("conv3", 512, 3, padding=1),
        ConvLayer("conv4", 512, 3, padding=1, groups=2),
        ConvLayer("conv5", 384, 3, padding=1, groups=2, pool=3),
    )

    def _fill(self, name: str, weight: Tensor, bias: Tensor) -> None:
        init.normal_(weight, std=0.01)
        init.constant_(bias, 0.0 if name == "fc8" else 0.1)
