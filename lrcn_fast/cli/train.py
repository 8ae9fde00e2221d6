"""``python -m lrcn_fast train captioner``: from images and captions to a model's folder."""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from lrcn_fast.caffe import load_weights
from lrcn_fast.cli.images import features_of
from lrcn_fast.data import CaptionBatches, CaptionedImage, read_captions, read_karpathy
from lrcn_fast.metrics.captioner import evaluate_captioner
from lrcn_fast.models import Captioner, Preprocessing, Vocabulary
from lrcn_fast.models.captioner_config import FILLER, IMAGE_LAYERS
from lrcn_fast.models.pretrained import NETS
from lrcn_fast.nn.conv_net import ConvNet
from lrcn_fast.training import CaffeSGD, TrainingConfig, load_state, step_decay, train, write_json
from lrcn_fast.training.captioning import (
    CaptionBatchReader,
    caption_groups,
    caption_objective,
    image_features,
)

__all__ = ["add_command"]


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train`` to the command line."""
    parser = commands.add_parser("train", help="train a model")
    models = parser.add_subparsers(dest="model", required=True, metavar="MODEL")
    add = models.add_parser(
        "captioner",
        help="a captioner, on images and captions",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Defaults are those of the LRCN release. Images of the split "
        '"train" are trained on, those of "test" are kept for the figures at the end.',
    )
    data = add.add_argument_group("data")
    data.add_argument("--captions", type=Path, required=True, help=".tsv, .csv, .jsonl or .json")
    data.add_argument("--images", type=Path, help="folder of the images, if not the captions'")
    data.add_argument("--output", type=Path, required=True, help="folder for the model")
    data.add_argument("--min-count", type=int, default=5, help="of a word of the vocabulary")
    model = add.add_argument_group("model")
    variants = [name for name, layer in IMAGE_LAYERS.items() if layer[1] is not None]
    model.add_argument("--variant", choices=variants, default="2f")
    model.add_argument("--embed-size", type=int, default=1000)
    model.add_argument("--hidden-size", type=int, default=1000)
    model.add_argument("--filler", type=float, default=FILLER, help="weights begin within -x..x")
    model.add_argument("--encoder", choices=sorted(NETS), default="CaffeNet")
    model.add_argument("--features", choices=["fc6", "fc7", "fc8"], default="fc8")
    model.add_argument("--feature-size", type=int, default=1000, help="outputs of fc8")
    model.add_argument(
        "--image-size", type=int, help="height and width; the net's own if not given"
    )
    model.add_argument("--encoder-weights", type=Path, help=".caffemodel, or state_dict (.pt)")
    model.add_argument(
        "--freeze-encoder",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="do not train it; its features are computed once. Without --encoder-weights they are "
        "those of a random net",
    )
    solver = add.add_argument_group("solver")
    solver.add_argument("--steps", type=int, default=110_000)
    solver.add_argument("--batch", type=int, default=100, help="captions of a step")
    solver.add_argument("--window", type=int, default=20, help="T; longer captions are cut")
    solver.add_argument("--learning-rate", type=float, default=0.01)
    solver.add_argument("--step-size", type=int, default=20_000, help="steps of one rate")
    solver.add_argument("--gamma", type=float, default=0.5, help="factor on the rate after them")
    solver.add_argument("--momentum", type=float, default=0.9)
    solver.add_argument("--weight-decay", type=float, default=0.0)
    solver.add_argument("--clip-gradients", type=float, default=10.0, help="norm of all gradients")
    solver.add_argument("--loss-weight", type=float, default=20.0)
    solver.add_argument("--encoder-rate", type=float, default=0.1, help="factor on its rate")
    solver.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="crop and mirror the images of an encoder that is not frozen",
    )
    solver.add_argument("--seed", type=int, default=1701)
    run = add.add_argument_group("run")
    run.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    run.add_argument(
        "--evaluate", type=int, default=1000, help="images of each split for the figures at the end"
    )
    run.add_argument("--beam-size", type=int, default=5, help="for the figures at the end")
    run.add_argument("--device", default="cpu", help="torch's device")
    run.add_argument("--fresh", action="store_true", help="do not go on with an earlier run")
    run.add_argument("--json", action="store_true", help="print the figures as JSON")
    add.set_defaults(run=_run)


def _read(arguments: argparse.Namespace) -> dict[str, list[CaptionedImage]]:
    """The images to train on and those to test with."""
    if arguments.captions.suffix == ".json":
        images = read_karpathy(arguments.captions, arguments.images or arguments.captions.parent)
    else:
        images = read_captions(arguments.captions, arguments.images)
    parts = {
        "train": [image for image in images if image.split in ("train", "restval")],
        "test": [image for image in images if image.split == "test"],
    }
    if not parts["train"]:
        raise ValueError(f"{arguments.captions}: expected images of the split 'train', got none")
    return parts


def _encoder(arguments: argparse.Namespace) -> ConvNet:
    size = arguments.image_size
    options: dict[str, Any] = {} if size is None else {"image_size": (size, size)}
    net = NETS[arguments.encoder]
    if arguments.features == "fc8":
        options["num_classes"] = arguments.feature_size
    encoder = net(arguments.features, **options)
    weights = arguments.encoder_weights
    if weights is None:
        return encoder
    if weights.suffix == ".caffemodel":
        load_weights(encoder, weights)
        return encoder
    try:
        # Nets with more layers than are needed are common.
        state = {k: v for k, v in load_state(weights).items() if k in encoder.state_dict()}
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise RuntimeError(f"{weights}: does not fit {arguments.encoder}: {error}") from error
    return encoder


def _prepare(arguments: argparse.Namespace) -> Path:
    """Refuse to mix two runs; return the file of the run's state."""
    kept = ("output", "fresh", "json", "run", "command", "device", "every")
    settings = {name: value for name, value in vars(arguments).items() if name not in kept}
    settings = json.loads(json.dumps(settings, default=str))
    path, state = arguments.output / "settings.json", arguments.output / "state.pt"
    if arguments.fresh:
        for file in (state, arguments.output / "log.jsonl"):
            file.unlink(missing_ok=True)
    elif state.is_file() and path.is_file() and json.loads(path.read_text()) != settings:
        raise ValueError(
            f"{arguments.output}: holds a run with other settings; --fresh begins anew"
        )
    write_json(path, settings)
    return Path(state)


def _run(arguments: argparse.Namespace) -> int:
    for name in ("steps", "every", "step_size", "batch", "window"):
        if getattr(arguments, name) < 1:
            option = name.replace("_", "-")
            raise ValueError(f"--{option}: expected at least 1, got {getattr(arguments, name)}")
    if arguments.evaluate < 0:
        raise ValueError(f"--evaluate: expected at least 0, got {arguments.evaluate}")
    device = torch.device(arguments.device)
    parts = _read(arguments)
    texts = (text for image in parts["train"] for text in image.captions)
    vocabulary = Vocabulary.build(texts, arguments.min_count)
    torch.manual_seed(arguments.seed)
    encoder = _encoder(arguments)
    frozen: bool = arguments.freeze_encoder
    encoder.requires_grad_(not frozen)
    captioner = Captioner(
        len(vocabulary),
        arguments.variant,
        arguments.embed_size,
        arguments.hidden_size,
        encoder.feature_size,
        filler=arguments.filler,
        encoder=encoder,
    ).to(device)
    preprocessing = Preprocessing(encoder.image_size[0])
    optimizer = CaffeSGD(
        caption_groups(captioner, arguments.encoder_rate),
        arguments.learning_rate,
        arguments.momentum,
        arguments.weight_decay,
    )
    batches = CaptionBatches(
        parts["train"], vocabulary, streams=arguments.batch, steps=arguments.window
    )
    state = _prepare(arguments)
    features = None
    if frozen:
        paths = [image.path for image in parts["train"]]
        with _bar(len(paths), "image") as bar:
            features = image_features(encoder, paths, preprocessing, bar)
    reader = CaptionBatchReader(
        batches,
        parts["train"],
        preprocessing,
        features=features,
        augment=arguments.augment,
        seed=arguments.seed,
        device=device,
    )
    try:
        with _bar(arguments.steps, "step") as bar:
            history = train(
                captioner,
                reader,
                TrainingConfig(
                    arguments.steps,
                    arguments.learning_rate,
                    clip_norm=arguments.clip_gradients,
                    every=arguments.every,
                ),
                objective=caption_objective(captioner, arguments.loss_weight),
                optimizer=optimizer,
                schedule=lambda step: step_decay(step, arguments.step_size, arguments.gamma),
                checkpoint=state,
                log=arguments.output / "log.jsonl",
                progress=bar,
            )
    except KeyboardInterrupt:
        print("\nthe same command goes on from the last checkpoint", file=sys.stderr)
        raise
    captioner.save_pretrained(arguments.output, vocabulary, preprocessing)
    results: dict[str, Any] = {
        "settings": json.loads((arguments.output / "settings.json").read_text()),
        "vocabulary": len(vocabulary),
        "loss": history[-1]["loss"],
        "seconds": history[-1]["seconds"],
    }
    for split, all_images in parts.items():
        # Retrieval compares all captions with all images: the first ones have to stand for many.
        images = all_images[: arguments.evaluate]
        if images:
            results[split] = evaluate_captioner(
                captioner,
                features_of(captioner, [image.path for image in images], preprocessing),
                [image.captions for image in images],
                vocabulary,
                beam_size=arguments.beam_size,
            )
    write_json(arguments.output / "results.json", results)
    print(json.dumps(results, indent=2) if arguments.json else _text(results))
    return 0


def _bar(total: int, unit: str) -> Any:
    try:
        return import_module("tqdm").tqdm(total=total, unit=unit)
    except ImportError as error:
        raise ImportError(
            "training shows its progress with tqdm, which is not installed: "
            "pip install lrcn_fast[train]"
        ) from error


def _text(results: dict[str, Any]) -> str:
    lines = [f"loss {results['loss']:.3f} after {results['seconds']:.0f} s"]
    for split in ("train", "test"):
        found = results.get(split)
        if found is None:
            continue
        lines.append(f"{split}: {found['images']} images, {found['captions']} captions")
        scores = {name: value for name, value in found.items() if isinstance(value, float)}
        for name, values in {"sentences": scores, **found["retrieval"]}.items():
            figures = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
            lines.append(f"  {name:<17} {figures}")
    return "\n".join(lines)
