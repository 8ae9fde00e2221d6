"""Command line: ``python -m lrcn_fast COMMAND``."""

import argparse
import sys
from collections.abc import Sequence

from lrcn_fast import __version__, doctor
from lrcn_fast.cli import caption, retrieve, train

INTERRUPTED = 130
"""The exit status of a command that SIGINT ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command line without the program's name, ``sys.argv`` by default.

    Returns:
        The exit status; 2 for input that cannot be used, 130 after an interrupt.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lrcn_fast", description="Fast LRCN building blocks for PyTorch."
    )
    parser.add_argument("--version", action="version", version=f"lrcn_fast {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (doctor, train, caption, retrieve):
        module.add_command(commands)
    chosen = parser.parse_args(arguments)
    try:
        status: int = chosen.run(chosen)
    except (ArithmeticError, ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"{parser.prog} {chosen.command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog} {chosen.command}: stopped", file=sys.stderr)
        return INTERRUPTED
    return status


if __name__ == "__main__":
    sys.exit(main())
