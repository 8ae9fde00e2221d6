"""``python -m lrcn_fast caption``: sentences of image files."""

import argparse
import json
from pathlib import Path
from typing import Any

from lrcn_fast.cli.images import features_of, image_files, load
from lrcn_fast.decoding import beam_search

__all__ = ["add_command"]


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``caption`` to the command line."""
    parser = commands.add_parser("caption", help="describe images in sentences")
    parser.add_argument("model", type=Path, help="folder that a captioner was saved to")
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--beam-size", type=int, default=5, help="sentences kept (default: 5)")
    parser.add_argument("--max-length", type=int, default=50, help="words at most (default: 50)")
    parser.add_argument("--n-best", type=int, default=1, help="sentences an image (default: 1)")
    parser.add_argument("--device", default="cpu", help="torch's device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    files = image_files(arguments.images)
    captioner, vocabulary, preprocessing = load(arguments.model, arguments.device)
    found = beam_search(
        captioner,
        features_of(captioner, files, preprocessing),
        arguments.beam_size,
        arguments.max_length,
        n_best=arguments.n_best,
    )
    results: list[dict[str, Any]] = []
    for file, tokens, lengths, log_probs in zip(
        files, found.tokens.cpu(), found.lengths.tolist(), found.log_probs.tolist(), strict=True
    ):
        captions = [
            {"text": vocabulary.decode(row), "log_prob": log_prob}
            for row, length, log_prob in zip(tokens, lengths, log_probs, strict=True)
            if length
        ]
        results.append({"image": str(file), "captions": captions})
    if arguments.json:
        print(json.dumps(results, indent=2))
        return 0
    for result in results:
        for caption in result["captions"]:
            print(f"{result['image']}\t{caption['log_prob']:.2f}\t{caption['text']}")
    return 0
