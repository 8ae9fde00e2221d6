"""The directory that a captioner is kept in: ``config.json``, ``model.safetensors`` and words.

Safetensors is looked for when weights are read or written.
"""

import importlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lrcn_fast._arguments import describe
from lrcn_fast._files import StrPath, write_json, write_whole
from lrcn_fast.models.small_net import SmallNet
from lrcn_fast.models.vocabulary import Vocabulary
from lrcn_fast.nn import VGG16, CaffeNet, HybridNet
from lrcn_fast.nn.conv_net import ConvNet

__all__ = [
    "NETS",
    "Preprocessing",
    "build_encoder",
    "describe_encoder",
    "read_description",
    "read_weights",
    "write_directory",
]

CONFIG, WEIGHTS, WORDS = "config.json", "model.safetensors", "vocabulary.txt"
NETS: dict[str, type[ConvNet]] = {
    net.__name__: net for net in (CaffeNet, HybridNet, SmallNet, VGG16)
}


@dataclass(frozen=True)
class Preprocessing:
    """What an image to be captioned goes through, see :func:`lrcn_fast.data.caption_input`.

    Attributes:
        size: height and width of the encoder's input.
        mean: of blue, green and red.
    """

    size: int
    mean: tuple[float, float, float] = (104.0, 117.0, 123.0)

    def __post_init__(self) -> None:
        if type(self.size) is not int or self.size < 1:
            raise ValueError(f"size: expected an integer of at least 1, got {self.size!r}")
        if len(self.mean) != 3 or not all(isinstance(value, float) for value in self.mean):
            raise ValueError(f"mean: expected three numbers, got {self.mean!r}")

    def to_dict(self) -> dict[str, Any]:
        """Numbers only, as JSON wants it."""
        return {**asdict(self), "mean": list(self.mean)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "mean": tuple(values["mean"])})


def describe_encoder(encoder: nn.Module | None) -> dict[str, Any] | None:
    """The form of an encoder in ``config.json``.

    Raises:
        TypeError: it is none of the package's CNNs.
    """
    if encoder is None:
        return None
    if not isinstance(encoder, ConvNet) or type(encoder).__name__ not in NETS:
        raise TypeError(f"encoder: expected one of {sorted(NETS)}, got {describe(encoder)}")
    return {"net": type(encoder).__name__, "features": encoder.blob, "options": encoder.options}


def build_encoder(description: dict[str, Any] | None) -> ConvNet | None:
    """The inverse of :func:`describe_encoder`."""
    if description is None:
        return None
    return NETS[description["net"]](description["features"], **description["options"])


def _safetensors() -> Any:
    try:
        return importlib.import_module("safetensors"), importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise ImportError(
            "weights of captioners need safetensors, which is not installed: "
            "pip install lrcn_fast[captions]"
        ) from error


def write_directory(
    directory: StrPath,
    description: dict[str, Any],
    weights: dict[str, Tensor],
    vocabulary: Vocabulary,
) -> None:
    """Write all files, each whole; ``config.json`` comes last."""
    folder = Path(directory)
    _, torch_format = _safetensors()
    tensors = {name: value.contiguous() for name, value in weights.items()}
    data = torch_format.save(tensors, metadata={"vocabulary": vocabulary.fingerprint})
    vocabulary.save(folder / WORDS)
    write_whole(folder / WEIGHTS, lambda file: file.write(data))
    write_json(folder / CONFIG, description)


def read_description(directory: StrPath) -> tuple[Path, dict[str, Any], Vocabulary]:
    """Read ``config.json`` and the words that it names.

    Returns:
        The file's path, what is in it, and the vocabulary.
    """
    path = Path(directory) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        description = json.loads(path.read_text())
        fingerprint = description["vocabulary"]
    except (KeyError, TypeError, ValueError) as error:
        raise RuntimeError(f"{path}: describes no captioner: {error!r}") from error
    vocabulary = Vocabulary.load(path.with_name(WORDS))
    vocabulary.require(str(fingerprint), str(path))
    return path, description, vocabulary


def read_weights(directory: StrPath, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """Read the weights, and refuse those of another vocabulary."""
    path = Path(directory) / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    safetensors, _ = _safetensors()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            fingerprint = (file.metadata() or {}).get("vocabulary", "")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise RuntimeError(f"{path}: cannot be read as safetensors: {error}") from error
    vocabulary.require(fingerprint, str(path))
    return weights
