"""``convert``: exchanges torch's LSTMs in a tree of modules for ours."""

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from lrcn_fast._arguments import describe
from lrcn_fast.nn.lstm import LSTM
from lrcn_fast.nn.lstm_cell import LSTMCell

__all__ = ["convert"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)

_REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {nn.LSTM: LSTM, nn.LSTMCell: LSTMCell}


def convert(module: AnyModule) -> AnyModule | LSTM | LSTMCell:
    """Replace every torch.nn.LSTM and torch.nn.LSTMCell in a tree by ours, in place.

    The new modules share the parameters, hooks and training flag of the old ones, so an optimizer
    that holds the parameters goes on working. What ``Module.compile`` made of an old one is
    dropped: compile the new one. Instances of subclasses are left alone, because methods that a
    subclass adds or changes would be lost. An error leaves the whole tree as it was.

    Args:
        module: root of the tree; may itself be an LSTM.

    Returns:
        The root: ``module``, or its replacement where it is an LSTM itself.

    Raises:
        TypeError: ``module`` is no module.
        ValueError: an LSTM has a parametrization, which lives in its class and would be lost.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {describe(module)}")
    # All replacements are made before the first takes its place, so that an error changes nothing.
    replaced = {
        old: _replacement(old, path or "module")
        for path, old in module.named_modules()
        if type_before_parametrizations(old) in _REPLACEMENTS
    }
    for parent in list(module.modules()):
        # Not named_children(), which leaves out a module that its parent holds under a second name.
        for name, child in list(parent._modules.items()):
            if child in replaced:
                setattr(parent, name, replaced[child])
    return replaced.get(module, module)  # type: ignore[return-value]


def _replacement(module: nn.Module, path: str) -> nn.Module:
    if is_parametrized(module):
        raise ValueError(
            f"module: {path} is parametrized; remove the parametrization before convert "
            "and apply it to the result"
        )
    new_class = _REPLACEMENTS[type(module)]
    # Both classes keep the same attributes, because both derive from torch's base class.
    new = new_class.__new__(new_class)
    new.__dict__.update(module.__dict__)
    # Bound to the old module, and would run its forward.
    new.__dict__["_compiled_call_impl"] = None
    return new
