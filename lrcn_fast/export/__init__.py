"""Models out of torch: ONNX with the standard operators.

onnx and onnxscript are looked for when they are needed: ``pip install "lrcn-fast[export]"``.
"""

from lrcn_fast.export.to_onnx import onnx_translations, to_onnx

__all__ = ["onnx_translations", "to_onnx"]
