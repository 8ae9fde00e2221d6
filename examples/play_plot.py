"""The picture that speed_of_play.py writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from torch import Tensor

INK, LRCN, FRAME = "#333333", "#0072b2", "#d55e00"
CLASS_COLOURS = ("#56b4e9", "#009e73", "#cc79a7")


def _curves(axes: Axes, histories: dict[str, list[list[dict[str, Any]]]], chance: float) -> None:
    for name, colour in (("LRCN", LRCN), ("single frame", FRAME)):
        for number, history in enumerate(histories[name]):
            axes.plot(
                [record["step"] for record in history],
                [record["test_accuracy"] for record in history],
                color=colour,
                linewidth=1.8,
                label=name if number == 0 else None,
            )
    axes.axhline(chance, color=INK, linestyle=":", linewidth=1.2, label="chance")
    axes.set(
        xlim=(0, None), ylim=(0, 1.05), xlabel="training step", ylabel="accuracy on test segments"
    )
    axes.set_title(f"Test accuracy while training, {len(histories['LRCN'])} seeds", loc="left")
    axes.legend(loc="center right", frameon=False)


def _film(
    axes: Axes, window: Tensor, orders: Sequence[Sequence[int]], names: Sequence[str]
) -> None:
    """Every second frame of one window, a row for each class. Window (T, 1, Y, X)."""
    shown = range(0, window.shape[0], 2)
    low, high = float(window.min()), float(window.max())
    for row, frame_order in enumerate(orders):
        for column, step in enumerate(shown):
            axes.imshow(
                window[frame_order[step], 0].numpy(),
                cmap="gray",
                vmin=low,
                vmax=high,
                extent=(column + 0.03, column + 0.97, -row - 0.97, -row - 0.03),
                interpolation="bilinear",
            )
    axes.set(xlim=(0, len(shown)), ylim=(-len(orders), 0), aspect="equal")
    axes.set_yticks([-row - 0.5 for row in range(len(orders))], names)
    axes.set_xticks([column + 0.5 for column in range(len(shown))], [str(step) for step in shown])
    for label, colour in zip(axes.get_yticklabels(), CLASS_COLOURS, strict=True):
        label.set(color=colour, fontweight="bold")
    axes.set_title("The same 16 frames in each class", loc="left")
    axes.set_xlabel("step")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _timeline(
    axes: Axes, probabilities: Tensor, truth: Sequence[int], steps: int, names: Sequence[str]
) -> None:
    """Probabilities (T, classes) of a stream of clips of ``steps`` frames each."""
    time = range(probabilities.shape[0])
    for number, label in enumerate(truth):
        axes.axvspan(
            number * steps - 0.5,
            (number + 1) * steps - 0.5,
            color=CLASS_COLOURS[label],
            alpha=0.15,
            linewidth=0,
        )
        axes.text(
            (number + 0.5) * steps - 0.5,
            1.13,
            names[label],
            color=CLASS_COLOURS[label],
            ha="center",
            va="center",
            fontweight="bold",
        )
    for label, name in enumerate(names):
        axes.plot(
            time, probabilities[:, label], color=CLASS_COLOURS[label], linewidth=1.8, label=name
        )
    axes.set(xlim=(-0.5, len(time) - 0.5), ylim=(0, 1.25), xlabel="frame of the stream")
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")
    axes.set_title(
        "Test clips played as one stream: the LRCN's belief after every frame "
        "(background and label: the true speed)",
        loc="left",
    )


def draw(
    path: Path,
    *,
    histories: dict[str, list[list[dict[str, Any]]]],
    window: Tensor,
    orders: Sequence[Sequence[int]],
    stream: Tensor,
    stream_labels: Sequence[int],
    names: Sequence[str],
) -> None:
    """Write learning curves, the task, and predictions over frames as a PNG.

    Args:
        path: the file.
        histories: of "LRCN" and "single frame", a list of records for each seed.
        window: (T, 1, Y, X), one test window in its natural order.
        orders: of each class, the order in which it plays the window.
        stream: (T, classes), probabilities on clips played one after the other.
        stream_labels: the class of each of these clips.
        names: of the classes.
    """
    with pyplot.rc_context(
        {
            "font.size": 11,
            "axes.titlesize": 11.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    ):
        figure = pyplot.figure(figsize=(11, 6.4), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.15), height_ratios=(1.25, 1))
        _curves(figure.add_subplot(grid[0, 0]), histories, 1 / len(names))
        _film(figure.add_subplot(grid[0, 1]), window, orders, names)
        _timeline(figure.add_subplot(grid[1, :]), stream, stream_labels, len(orders[0]), names)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130, facecolor="white")
        pyplot.close(figure)
