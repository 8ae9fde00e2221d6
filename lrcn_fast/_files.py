"""Files that are whole or not there: written beside the old one, then renamed over it."""

import json
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import IO, Any

__all__ = ["StrPath", "write_json", "write_whole"]

StrPath = str | PathLike[str]


def write_whole(path: StrPath, write: Callable[[IO[bytes]], object]) -> None:
    """Let ``write`` fill a file; a reader sees the old file or the new one, never a part.

    Args:
        path: the file; its folder is made if missing.
        write: gets the open file.

    Raises:
        OSError: the folder cannot be written to.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: StrPath, value: Any) -> None:
    """Write ``value`` as JSON; a reader sees the old file or the new one, never a part."""
    text = json.dumps(value, indent=2) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))
