"""``to_onnx``: a model or an exported program to ONNX."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import torch

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast._arguments import describe
from lrcn_fast._files import StrPath
from lrcn_fast.nn._evaluating import evaluating

__all__ = ["onnx_translations", "to_onnx"]


def to_onnx(
    model: torch.nn.Module | torch.export.ExportedProgram,
    args: Sequence[Any] = (),
    path: StrPath | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
    **options: Any,
) -> torch.onnx.ONNXProgram:
    """Export a model to ONNX, with one LSTM operator for each layer.

    The model is exported in evaluation mode and without gradients. What ONNX's LSTM lacks
    (``cont``, ``return_cells``, ``proj_size``) and what ONNX Runtime's lacks (float64) becomes a
    Scan.

    Args:
        model: a module, or what ``torch.export.export`` made of one.
        args: its positional arguments, as an example; not for an exported program.
        path: the file to write; None writes none.
        kwargs: its arguments by name.
        dynamic_shapes: which sizes are free, as ``torch.export.export`` takes them.
        options: further ones of ``torch.onnx.export``, such as ``opset_version``, ``input_names``
            and ``output_names``.

    Returns:
        The program, whose ``model_proto`` is the ONNX model.

    Raises:
        ImportError: onnx or onnxscript is not installed; says how to install it.
        TypeError: the model is neither a module nor an exported program.
        NotImplementedError: something in the model cannot be exported; says what and why.
        torch.onnx.errors.OnnxExporterError: torch cannot export it.
    """
    if isinstance(model, torch.nn.Module):
        with evaluating(model), torch.no_grad():
            program = _export(model, tuple(args), kwargs, dynamic_shapes, options)
    elif isinstance(model, torch.export.ExportedProgram):
        program = _export(model, (), None, None, options)
    else:
        raise TypeError(
            f"model: expected a torch.nn.Module or an ExportedProgram, got {describe(model)}"
        )
    if path is not None:
        program.save(path)
    return program


def onnx_translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return the ``custom_translation_table`` of ``torch.onnx.export(.., dynamo=True)``.

    For who cannot call :func:`to_onnx`: export under ``torch.no_grad()`` and in evaluation mode.
    Weights above a few thousand values are then rearranged when the ONNX model is loaded.

    Raises:
        ImportError: onnx or onnxscript is not installed; says how to install it.
    """
    table: dict[Callable[..., Any], Callable[..., Any]] = _with_packages("_table").translations()
    return table


def _export(
    model: torch.nn.Module | torch.export.ExportedProgram,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    dynamic_shapes: Any,
    options: dict[str, Any],
) -> torch.onnx.ONNXProgram:
    options = {"verbose": False, **options}
    table = onnx_translations()
    try:
        program = torch.onnx.export(
            model,
            # Torch takes a dict at the end for the arguments by name.
            (*args, kwargs or {}),
            dynamo=True,
            dynamic_shapes=dynamic_shapes,
            custom_translation_table=table,
            **options,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, NotImplementedError):
            cause = cause.__cause__
        if cause is None:
            raise
        # Torch wraps it in pages of text.
        raise NotImplementedError(str(cause)) from error
    assert program is not None
    _with_packages("_folding").fold_weights(program.model)
    return program


def _with_packages(module: str) -> Any:
    for package in ("onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f'exporting to ONNX needs {package}: pip install "lrcn-fast[export]" ({error})'
            ) from error
    return importlib.import_module(f"lrcn_fast.export.{module}")
