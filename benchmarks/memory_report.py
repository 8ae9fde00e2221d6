"""Memory against the length of a sequence, as JSON, table and plot."""

from __future__ import annotations

from pathlib import Path

from .plot import INK, axes_of, save
from .report import Result, grid, write_files

NAMES = {"torch": "torch.nn.LSTM", "lrcn_fast": "lrcn_fast"}
COLOURS = {"torch": "#b9561a", "lrcn_fast": "#2f6fb0", "recomputing": "#33804c"}
GIB = 2**30


def _named(result: Result) -> dict[str, str]:
    return {**NAMES, "recomputing": f"recompute_every={result['recompute_every']}"}


def file_stem(result: Result) -> str:
    """Name of a machine class."""
    return f"memory-cpu-{result['machine']['isa']}"


def table(result: Result) -> str:
    """A line for each T, in MiB, then what it is of."""
    names = _named(result)
    lines = [
        (f"{steps:,}", *(f"{value / 2**20:,.0f}" for value in of_steps))
        for steps, *of_steps in zip(result["steps"], *(result["bytes"][name] for name in names))
    ]
    shape, versions = result["shape"], result["versions"]
    text = (
        f"MiB by which two steps of training raise the peak of a fresh process: B={shape['batch']} "
        f"I={shape['input_size']} H={shape['hidden_size']}, float32, input, output and their "
        f"gradients too. {result['machine']['cpu']}, {result['machine']['threads']} threads; torch "
        f"{versions['torch']}, lrcn_fast {versions['lrcn_fast']}, {result['date'][:10]}."
    )
    return "\n".join([*grid(("T", *names.values()), lines), "", text, ""])


def draw(result: Result, path: Path) -> Path:
    """Writes a PNG with a line for each implementation."""
    figure, axes = axes_of(3.6)
    for name, label in _named(result).items():
        points = [(n, value / GIB) for n, value in zip(result["steps"], result["bytes"][name])]
        axes.plot(*zip(*points), color=COLOURS[name], marker="o", markersize=4, linewidth=1.8)
        axes.annotate(
            label,
            points[-1],
            xytext=(6, 0),
            textcoords="offset points",
            color=COLOURS[name],
            size=9.5,
            va="center",
            annotation_clip=False,
        )
    axes.set_xlim(0, 1.28 * max(result["steps"]))
    axes.set_ylim(bottom=0)
    axes.set_xticks(result["steps"], [f"{steps:,}" for steps in result["steps"]])
    axes.set_xlabel("T", size=9.5, color=INK)
    axes.set_ylabel("GiB", size=9.5, color=INK)
    figure.suptitle("Peak memory of training", size=12, weight="bold", color=INK)
    return save(figure, path)


def write(result: Result, folder: Path) -> tuple[Path, Path]:
    """Writes the result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))


def shown(result: Result, images: Path) -> str:
    """Plot and table, as a page in the folder above ``images`` has them."""
    image = draw(result, images / f"{file_stem(result)}.png")
    picture = f"![Peak memory of training against T]({images.name}/{image.name})"
    return f"{picture}\n\n{table(result)}"
