"""The result file: one JSON for each kind of device, whole at every moment."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

Result = dict[str, Any]
FORMAT = 1
RUNNING = "running"
"""Status of a part that has begun. In a file that nobody writes any more: it was interrupted."""
SAVE_SECONDS = 3.0
"""What an interruption costs at most of a part that is under way."""


def now() -> str:
    """The date as it goes into the file."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_atomically(path: Path, text: str) -> None:
    """Replaces ``path`` in one move: a reader finds the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> Result | None:
    """The result in a file; None where there is none, or one of another format."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("format") == FORMAT else None


class Store:
    """The result of a device, written again after every change.

    Parts that this run does not measure stay as an earlier run on the same device left them; each
    part carries the date, commit and versions of its own run.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        stem: str,
        header: Result,
        table: Callable[[Result], str],
    ) -> None:
        self.paths = [folder / f"{stem}.json" for folder in folders]
        self._table = table
        earlier = next(filter(None, map(read, self.paths)), None)
        self.earlier: dict[str, Result] = dict(earlier["parts"]) if earlier else {}
        self._stamp = {key: header[key] for key in ("commit", "dirty", "versions")}
        self.result: Result = {
            "format": FORMAT,
            "date": now(),
            **header,
            "parts": dict(self.earlier),
        }
        self.save()

    def done(self, name: str) -> bool:
        """Whether an earlier run of the same commit and versions has finished the part."""
        part = self.earlier.get(name, {})
        passed = part.get("status") == "passed" and not part.get("not_run")
        return passed and self.same_stamp(name)

    def same_stamp(self, name: str) -> bool:
        """Whether a part's earlier figures are of this very commit, unchanged, and versions."""
        part = self.earlier.get(name, {})
        known = self._stamp["commit"] is not None and not self._stamp["dirty"]
        return known and all(part.get(key) == value for key, value in self._stamp.items())

    def put(self, name: str, part: Result) -> None:
        """Stores a part with its stamp, and saves."""
        self.result["parts"][name] = {**part, **self._stamp, "date": now()}
        self.save()

    def publisher(self, name: str) -> Callable[[Result], None]:
        """Stores what a part has so far: at once the first time, then every few seconds."""
        last = float("-inf")

        def publish(part: Result) -> None:
            nonlocal last
            self.result["parts"][name] = {**part, **self._stamp, "date": now()}
            if time.monotonic() - last >= SAVE_SECONDS:
                self.save()
                last = time.monotonic()

        return publish

    def save(self) -> None:
        """Writes JSON and table into every folder."""
        dumped = json.dumps(self.result, indent=1, ensure_ascii=False) + "\n"
        table = self._table(self.result)
        for path in self.paths:
            write_atomically(path, dumped)
            write_atomically(path.with_suffix(".md"), table)
