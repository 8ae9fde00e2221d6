"""Command line: ``python -m lrcn_fast doctor``."""

import argparse
import sys
from collections.abc import Sequence

from lrcn_fast import __version__, doctor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command line without the program's name, ``sys.argv`` by default.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lrcn_fast", description="Fast LRCN building blocks for PyTorch."
    )
    parser.add_argument("--version", action="version", version=f"lrcn_fast {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    doctor.add_command(commands)
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
