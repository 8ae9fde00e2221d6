"""What torch.compile takes for a constant."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["constant_when_traced"]

Function = TypeVar("Function", bound=Callable[..., object])


def constant_when_traced(function: Function) -> Function:
    """Run a function when a graph is traced, and keep what it returns.

    The same as ``torch.compiler.assume_constant_result``, which imports the whole compiler.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
