"""``python -m lrcn_fast retrieve``: images by sentences, and sentences by images."""

import argparse
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from lrcn_fast.cli.images import features_of, image_files, load
from lrcn_fast.decoding import normalised, score
from lrcn_fast.metrics.captioner import encode_captions

__all__ = ["add_command"]


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``retrieve`` to the command line."""
    parser = commands.add_parser(
        "retrieve",
        help="rank images by a sentence, and sentences by an image",
        description="Rank all images for each sentence, and all sentences for each image, by "
        "log p(sentence | image) less the logarithm of its mean over the images; with one image "
        "alone, by log p(sentence | image).",
    )
    parser.add_argument("model", type=Path, help="folder that a captioner was saved to")
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--sentence", action="append", default=[], help="may come several times")
    parser.add_argument("--sentences", type=Path, help="file with a sentence a line")
    parser.add_argument("--top", type=int, default=5, help="best ones to show (default: 5)")
    parser.add_argument("--device", default="cpu", help="torch's device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.top < 1:
        raise ValueError(f"--top: expected at least 1, got {arguments.top}")
    sentences = list(arguments.sentence)
    if arguments.sentences is not None:
        lines = arguments.sentences.read_text(encoding="utf-8").splitlines()
        sentences += [line for line in lines if line.strip()]
    if not sentences:
        raise ValueError("expected --sentence TEXT or --sentences FILE with a sentence, got none")
    files = image_files(arguments.images)
    captioner, vocabulary, preprocessing = load(arguments.model, arguments.device)
    words = encode_captions(sentences, vocabulary).to(captioner.predict.weight.device)
    features = features_of(captioner, files, preprocessing)
    scores = score(captioner, features, words).cpu()
    if len(files) > 1:
        scores = normalised(scores)
    names = [str(file) for file in files]
    found = {
        "images": _ranked("sentence", sentences, "image", names, scores, arguments.top),
        "sentences": _ranked("image", names, "sentence", sentences, scores.T, arguments.top),
    }
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    for query, key in (("sentence", "images"), ("image", "sentences")):
        answers = found["sentences" if key == "images" else "images"]
        # To rank one answer for each of many queries says nothing.
        if len(answers) == 1 and len(found[key]) > 1:
            continue
        for result in found[key]:
            print(result[query])
            for place in result["ranking"]:
                answer = place["image" if query == "sentence" else "sentence"]
                print(f"  {place['rank']}\t{place['score']:.2f}\t{answer}")
    return 0


def _ranked(
    query: str, queries: list[str], answer: str, answers: list[str], scores: Tensor, top: int
) -> list[dict[str, Any]]:
    """The best answers to each query, of scores (queries, answers)."""
    values, order = scores.sort(dim=1, descending=True, stable=True)
    return [
        {
            query: text,
            "ranking": [
                {"rank": rank, answer: answers[place], "score": value}
                for rank, (place, value) in enumerate(zip(places, row, strict=True), start=1)
            ],
        }
        for text, places, row in zip(
            queries, order[:, :top].tolist(), values[:, :top].tolist(), strict=True
        )
    ]
