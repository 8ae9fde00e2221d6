"""Image description: words and an image in, the scores of the next word out.

:class:`Captioner` has the networks of the LRCN paper's section 5 (released as ``lrcn.prototxt``)
and the language model beside them. :mod:`lrcn_fast.decoding` makes sentences of their scores.
"""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast._arguments import check_like, describe
from lrcn_fast._files import StrPath
from lrcn_fast.functional import linear_cross_entropy
from lrcn_fast.models.captioner_config import FILLER, CaptionerConfig
from lrcn_fast.models.pretrained import (
    Preprocessing,
    build_encoder,
    describe_encoder,
    read_description,
    read_weights,
    write_directory,
)
from lrcn_fast.models.vocabulary import Vocabulary
from lrcn_fast.nn import LSTM
from lrcn_fast.ops.linear import project

__all__ = ["Captioner"]


class Captioner(nn.Module):
    """Embedding -> one or more LSTMs, one of which sees the image -> scores of all words.

    Word 0 begins and ends every sentence. Layers are named as in Caffe: ``embedding``, ``lstm1`` ..
    and ``predict``. As Caffe's LSTM has one bias, ``bias_hh`` of every layer stays zero and is not
    trained.

    Args:
        vocabulary_size: V, word 0 included.
        variant: ``"1u"``, ``"2u"``, ``"2f"``, ``"4f"`` or ``"lm"``, see :class:`CaptionerConfig`.
        embed_size: E.
        hidden_size: H.
        image_size: S.
        dropout: after the embedding and before the scores, in training.
        filler: all weights are drawn from U(-x, x), biases are zero.
        encoder: makes image features (B, S) of pixels (B, C, Y, X); None where features come in.

    Raises:
        ValueError: a size or the variant is wrong, or the language model is given an encoder.
    """

    def __init__(
        self,
        vocabulary_size: int,
        variant: str = "2f",
        embed_size: int = 1000,
        hidden_size: int = 1000,
        image_size: int = 1000,
        *,
        dropout: float = 0.0,
        filler: float = FILLER,
        encoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        config = CaptionerConfig(
            vocabulary_size, variant, embed_size, hidden_size, image_size, dropout, filler
        )
        self.config = config
        if encoder is not None and config.image_layer is None:
            raise ValueError(f"encoder: expected None for variant {variant!r}, which sees no image")
        self.encoder = encoder
        self.embedding = nn.Embedding(vocabulary_size, embed_size)
        for index in range(config.num_layers):
            width = embed_size if index == 0 else hidden_size
            static = image_size if index == config.image_layer else 0
            self.add_module(f"lstm{index + 1}", LSTM(width, hidden_size, static_size=static))
        self.predict = nn.Linear(hidden_size, vocabulary_size)
        self.reset_parameters()

    @classmethod
    def from_config(cls, config: CaptionerConfig, encoder: nn.Module | None = None) -> "Captioner":
        """A captioner of the sizes in ``config``."""
        return cls(**config.to_dict(), encoder=encoder)

    @classmethod
    def from_caffe(cls, prototxt: StrPath, caffemodel: StrPath, **options: Any) -> "Captioner":
        """A captioner of Caffe's files: :func:`lrcn_fast.caffe.load_captioner`.

        Args:
            prototxt: the net; variant and sizes are taken from it.
            caffemodel: its weights.
            options: ``stages`` and ``encoder``.
        """
        # The readers stand above the models, and need a package that is not always there.
        loaded: Captioner = import_module("lrcn_fast.caffe").load_captioner(
            prototxt, caffemodel, **options
        )
        return loaded

    def save_pretrained(
        self,
        directory: StrPath,
        vocabulary: Vocabulary,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Write all that makes sentences of images into one directory.

        Args:
            directory: made if missing; gets ``config.json``, ``model.safetensors`` and
                ``vocabulary.txt``.
            vocabulary: the words that the captioner was trained with.
            preprocessing: what the encoder's images go through; None where features come in.

        Raises:
            ImportError: safetensors is not installed.
            TypeError: the encoder is none of the package's CNNs.
            ValueError: the vocabulary has another size.
            OSError: the directory cannot be written to.
        """
        size = self.config.vocabulary_size
        if len(vocabulary) != size:
            raise ValueError(f"vocabulary: expected V = {size}, got {len(vocabulary)}")
        description = {
            "model": type(self).__name__,
            "config": self.config.to_dict(),
            "encoder": describe_encoder(self.encoder),
            "preprocessing": None if preprocessing is None else preprocessing.to_dict(),
            "vocabulary": vocabulary.fingerprint,
        }
        write_directory(directory, description, self.state_dict(), vocabulary)

    @classmethod
    def from_pretrained(
        cls, directory: StrPath
    ) -> "tuple[Captioner, Vocabulary, Preprocessing | None]":
        """Read what :meth:`save_pretrained` wrote.

        Returns:
            The captioner in evaluation mode, its words, and what its images go through.

        Raises:
            FileNotFoundError: a file is missing.
            ImportError: safetensors is not installed.
            VocabularyError: the vocabulary is not the one that the weights were trained with.
            RuntimeError: ``config.json`` makes no sense, or the weights do not belong to it.
        """
        where, description, vocabulary = read_description(directory)
        try:
            if description["model"] != cls.__name__:
                raise ValueError(f"model: expected {cls.__name__!r}, got {description['model']!r}")
            config = CaptionerConfig.from_dict(description["config"])
            if config.vocabulary_size != len(vocabulary):
                raise ValueError(
                    f"vocabulary_size: expected {len(vocabulary)} as of vocabulary.txt, "
                    f"got {config.vocabulary_size}"
                )
            captioner = cls.from_config(config, build_encoder(description["encoder"]))
            found = description["preprocessing"]
            preprocessing = None if found is None else Preprocessing.from_dict(found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RuntimeError(f"{where}: describes no captioner: {error!r}") from error
        weights = read_weights(directory, vocabulary)
        kinds = {value.dtype for value in weights.values()}
        if len(kinds) == 1:
            captioner.to(kinds.pop())
        try:
            captioner.load_state_dict(weights)
        except RuntimeError as error:
            raise RuntimeError(f"{directory}: weights and config.json disagree: {error}") from error
        return captioner.eval(), vocabulary, preprocessing

    @property
    def layers(self) -> list[LSTM]:
        """The LSTMs, the first one first."""
        return [self.get_submodule(f"lstm{k + 1}") for k in range(self.config.num_layers)]  # type: ignore[misc]

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew, but for the encoder's."""
        for module in (self.embedding, *self.layers, self.predict):
            for name, parameter in module.named_parameters():
                if name.startswith("bias"):
                    nn.init.zeros_(parameter)
                else:
                    nn.init.uniform_(parameter, -self.config.filler, self.config.filler)
                if name.startswith("bias_hh"):
                    parameter.requires_grad_(False)

    def forward(
        self, words: Tensor, cont: Tensor | None = None, image: Tensor | None = None
    ) -> Tensor:
        """Score every word of the vocabulary as the next one, at every step.

        Args:
            words: (T, B) integers below V, the words so far: 0 and then the sentence. Negative ones
                (padding) are read as 0.
            cont: (T, B), zero where a sentence begins; None where each row is one sentence.
            image: features (B, S), or pixels (B, C, Y, X) where there is an encoder; None for the
                language model.

        Returns:
            (T, B, V): scores, whose softmax is the probability of each word.

        Raises:
            TypeError: a dtype is wrong.
            ValueError: a shape, a device or a word is wrong.
        """
        hidden, _ = self.hidden(words, cont, image)
        return project(hidden, self.predict.weight, self.predict.bias)

    def loss(
        self,
        words: Tensor,
        cont: Tensor | None,
        image: Tensor | None,
        targets: Tensor,
        ignore_index: int = -1,
    ) -> Tensor:
        """Mean negative log-probability of the words that should follow.

        Args:
            words: as in :meth:`forward`.
            cont: as in :meth:`forward`.
            image: as in :meth:`forward`.
            targets: (T, B) int64, the word that follows at each step, or ``ignore_index``.
            ignore_index: the target of steps that do not count.

        Returns:
            A scalar, see :func:`lrcn_fast.functional.linear_cross_entropy`. The release trains on
            20 times this.

        Raises:
            TypeError: a dtype is wrong.
            ValueError: a shape, a device, a word or a target is wrong.
        """
        hidden, _ = self.hidden(words, cont, image)
        predict = self.predict
        return linear_cross_entropy(hidden, predict.weight, predict.bias, targets, ignore_index)

    def hidden(
        self,
        words: Tensor,
        cont: Tensor | None = None,
        image: Tensor | None = None,
        state: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run all but the last product: what ``predict`` reads at every step, and the state after.

        Args:
            words: as in :meth:`forward`.
            cont: as in :meth:`forward`.
            image: as in :meth:`forward`.
            state: h and c of all layers, each (L, B, H), to carry on from; zeros when None.

        Returns:
            (T, B, H), dropout included, and the state after the last step.

        Raises:
            TypeError: a dtype is wrong.
            ValueError: a shape, a device or a word is wrong.
        """
        feature = self.image_feature(image, self._check_words(words))
        output = self._drop(self.embedding(words.clamp(min=0)))
        h_n, c_n = [], []
        for index, lstm in enumerate(self.layers):
            before = None if state is None else tuple(part[index : index + 1] for part in state)
            static = feature if index == self.config.image_layer else None
            output, (h, c) = lstm(output, before, cont=cont, static=static)
            h_n.append(h)
            c_n.append(c)
        return self._drop(output), (torch.cat(h_n), torch.cat(c_n))

    def image_feature(self, image: Tensor | None, batch: int | None = None) -> Tensor | None:
        """Check an image, and encode it where it comes as pixels.

        Args:
            image: features (B, S), pixels (B, C, Y, X), or None for the language model.
            batch: B, where it is known.

        Returns:
            (B, S), or None.

        Raises:
            TypeError: it is not floating.
            ValueError: it is there or missing against the variant, or its shape is wrong.
        """
        size = self.config.image_size
        if self.config.image_layer is None:
            if image is not None:
                raise ValueError(f"image: expected None for variant 'lm', got {describe(image)}")
            return None
        pixels = " or pixels (B, C, Y, X)" if self.encoder is not None else ""
        if not isinstance(image, Tensor):
            raise ValueError(
                f"image: expected features (B, S) with S = {size}{pixels}, got {describe(image)}"
            )
        if image.dim() == 4 and self.encoder is not None:
            image = self.encoder(image)
        rows = batch if batch is not None or image.dim() == 0 else image.shape[0]
        check_like("image", image, (rows, size), f"(B, S){pixels}", self.predict.weight)  # type: ignore[arg-type]
        return image

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training)

    def _check_words(self, words: object) -> int:
        """Check words (T, B) and return B."""
        if not isinstance(words, Tensor) or words.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"words: expected int64 or int32, got {describe(words)}")
        if words.dim() != 2 or words.shape[0] < 1:
            raise ValueError(f"words: expected shape (T, B) with T >= 1, got {describe(words)}")
        size = self.config.vocabulary_size
        known = words.device.type == "cpu" and words.numel() and not torch.compiler.is_compiling()
        # On a GPU this would wait for the device; there the embedding asserts it.
        if known and int(words.max()) >= size:
            raise ValueError(f"words: expected numbers below V = {size}, got {int(words.max())}")
        return words.shape[1]

    def extra_repr(self) -> str:
        """The variant and the sizes."""
        values: dict[str, Any] = self.config.to_dict()
        return ", ".join(f"{name}={value!r}" for name, value in values.items())
