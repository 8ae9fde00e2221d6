"""``convert``: exchanges torch's LSTMs in a tree of modules for ours."""

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from lrcn_fast.nn.lstm import LSTM
from lrcn_fast.nn.lstm_cell import LSTMCell

__all__ = ["convert"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def convert(module: AnyModule) -> AnyModule | LSTM | LSTMCell:
    """Replace every torch.nn.LSTM and torch.nn.LSTMCell in a tree by ours, in place.

    The new modules share the parameters, hooks and training flag of the old ones, so an optimizer
    that holds the parameters goes on working. A subclass that computes something else in its
    ``forward`` is left alone.

    Args:
        module: root of the tree; may itself be an LSTM.

    Returns:
        The root: ``module``, or its replacement where it is an LSTM itself.

    Raises:
        ValueError: an LSTM has a parametrization, which lives in its class and would be lost.
    """
    replaced: dict[nn.Module, nn.Module] = {}
    new_root = _replacement(module, "module", replaced)
    for path, parent in list(module.named_modules()):
        # Not named_children(), which leaves out a module that its parent holds under a second name.
        for name, child in list(parent._modules.items()):
            if child is None:
                continue
            new = _replacement(child, f"{path}.{name}" if path else name, replaced)
            if new is not child:
                setattr(parent, name, new)
    return new_root  # type: ignore[return-value]


def _replacement(module: nn.Module, path: str, replaced: dict[nn.Module, nn.Module]) -> nn.Module:
    if module in replaced:
        return replaced[module]
    new_class: type[nn.Module]
    if isinstance(module, nn.LSTM) and type(module).forward is nn.LSTM.forward:
        new_class = LSTM
    elif isinstance(module, nn.LSTMCell) and type(module).forward is nn.LSTMCell.forward:
        new_class = LSTMCell
    else:
        return module
    if is_parametrized(module):
        raise ValueError(
            f"module: {path} is parametrized; remove the parametrization before convert "
            "and apply it to the result"
        )
    # Both classes keep the same attributes, because both derive from torch's base class.
    new = new_class.__new__(new_class)
    new.__dict__.update(module.__dict__)
    if new_class is LSTM:
        new.__dict__["static_size"] = 0
    replaced[module] = new
    return new
