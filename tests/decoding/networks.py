"""Tiny captioners, and images for them."""

import torch
from torch import Tensor

from lrcn_fast.models import Captioner

VARIANTS = ("1u", "2u", "2f", "4f", "lm")


def captioner(variant: str, vocabulary_size: int = 7, seed: int = 0, **sizes: int) -> Captioner:
    """In float64, with weights large enough for sentences that differ, and in training mode."""
    torch.manual_seed(seed)
    chosen = {"embed_size": 5, "hidden_size": 6, "image_size": 3, **sizes}
    model = Captioner(vocabulary_size, variant, **chosen, filler=1.5).double()
    torch.nn.init.normal_(model.predict.bias)
    return model


def images(variant: str, batch: int = 3) -> Tensor | None:
    """Features (B, S), None for the language model."""
    return None if variant == "lm" else torch.randn(batch, 3, dtype=torch.float64)
