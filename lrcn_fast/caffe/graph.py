"""The graph of a net: which layer reads and makes which blob, and what a call has to run."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lrcn_fast.caffe.errors import CaffeError

__all__ = ["Graph", "Step"]


@dataclass(frozen=True)
class Step:
    """One layer, or several in a row. Blobs are numbered: whatever works in place makes a new one.

    Attributes:
        layers: the names of the modules in the net.
        bottoms: the blobs that it reads.
        tops: the blobs that it makes.
    """

    layers: tuple[str, ...]
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]


class Graph:
    """Steps in order, and the names of blobs.

    Attributes:
        steps: in the order of the file.
        inputs: number of each input, by name.
        last: the number of the blob that a name stands for at the end, by name.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.inputs: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self._count = 0
        self._read: set[int] = set()

    def read(self, names: Iterable[str]) -> tuple[int, ...]:
        """The blobs of these names at this point of the file.

        Raises:
            CaffeError: no layer so far makes one of them.
        """
        found = []
        for name in names:
            if name not in self.last:
                raise CaffeError(f"no layer before it makes the bottom {name!r}")
            found.append(self.last[name])
        self._read.update(found)
        return tuple(found)

    def make(self, names: Iterable[str], replaceable: Collection[str]) -> tuple[int, ...]:
        """New blobs of these names; only ``replaceable`` ones may exist already.

        Raises:
            CaffeError: two layers that do not work in place make one blob.
        """
        made = []
        for name in names:
            if name in self.last and name not in replaceable:
                raise CaffeError(f"another layer makes the top {name!r} already")
            self.last[name] = self._count
            made.append(self._count)
            self._count += 1
        return tuple(made)

    def add_input(self, name: str) -> int:
        """A blob that comes from outside."""
        (number,) = self.make([name], ())
        self.inputs[name] = number
        return number

    def outputs(self) -> tuple[str, ...]:
        """The names of the blobs that layers make and none reads."""
        unread = (name for name, number in self.last.items() if number not in self._read)
        return tuple(name for name in unread if name not in self.inputs)

    def needed(self, wanted: Iterable[int]) -> list[Step]:
        """The steps that these blobs need, in order."""
        missing, found = set(wanted), []
        for step in reversed(self.steps):
            if missing.intersection(step.tops):
                missing.update(step.bottoms)
                found.append(step)
        return found[::-1]
