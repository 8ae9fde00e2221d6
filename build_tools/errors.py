"""Failures of the build that the user can mend."""

from typing import NoReturn


def stop(message: str) -> NoReturn:
    """End the build with one line instead of a traceback.

    Args:
        message: what is missing, and how to get it or do without.
    """
    raise SystemExit(f"lrcn_fast: {message}")
