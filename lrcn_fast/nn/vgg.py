"""VGG-16 (Simonyan and Zisserman, configuration D) with torchvision's state_dict."""

from torch import Tensor
from torch.nn import init

from lrcn_fast.nn.conv_net import ConvLayer, ConvNet

__all__ = ["VGG16"]

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the 3x3 convolutions before each pooling."""

LAYERS = tuple(
    ConvLayer(f"conv{block}_{number}", channels, 3, padding=1, pool=2 if number == count else 0)
    for block, (channels, count) in enumerate(BLOCKS, start=1)
    for number in range(1, count + 1)
)


def _torchvision_paths() -> dict[str, str]:
    paths, place = {}, 0
    for layer in LAYERS:
        paths[layer.name] = f"features.{place}"
        # A ReLU, and a pooling where there is one, stand between two convolutions.
        place += 3 if layer.pool else 2
    return {**paths, "fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


class VGG16(ConvNet):
    """VGG-16, the larger CNN of the LRCN paper's captions.

    The state_dict is that of ``torchvision.models.vgg16``: ``features.0.weight`` to
    ``classifier.6.bias``. Layers are called ``conv1_1`` to ``conv5_3``, ``fc6``, ``fc7`` and
    ``fc8`` in Caffe. Images are 224 x 224 in the original. The arguments are those of
    :class:`ConvNet`.

    With torchvision, images of another size are averaged to the 7 x 7 of the original before the
    fully connected layers; here ``fc6`` has as many inputs as the image leaves, as in Caffe.
    """

    LAYERS = LAYERS
    PATHS = _torchvision_paths()
    IMAGE_SIZE = (224, 224)

    def _fill(self, name: str, weight: Tensor, bias: Tensor) -> None:
        if name.startswith("conv"):
            init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        else:
            init.normal_(weight, std=0.01)
        init.zeros_(bias)
