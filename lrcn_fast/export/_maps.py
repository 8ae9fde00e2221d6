"""ReLU, max-pooling and response normalisation, for which ONNX has an operator each."""

import onnx_ir as ir

from lrcn_fast.export._nodes import Nodes, known_to_runtime, size_of
from lrcn_fast.reference.relu_max_pool_lrn import Options

__all__ = ["relu_max_pool_lrn_forward"]


def relu_max_pool_lrn_forward(
    nodes: Nodes,
    x: ir.Value,
    relu: bool,
    kernel_y: int,
    kernel_x: int,
    stride_y: int,
    stride_x: int,
    ceil_mode: bool,
    lrn_size: int,
    alpha: float,
    beta: float,
    k: float,
    lrn_first: bool,
    save: bool,
) -> list[ir.Value]:
    """``lrcn_fast::relu_max_pool_lrn_forward``: the output; what its backward keeps is left out."""
    sizes = (kernel_y, kernel_x, stride_y, stride_x)
    options = Options(relu, *sizes, ceil_mode, lrn_size, alpha, beta, k, lrn_first)
    channels, dtype = size_of(x, 1), x.dtype
    compute = known_to_runtime(dtype)
    x = nodes.cast(x, compute)
    if relu:
        x = nodes.like(x, "Relu", x)
    if not lrn_first:
        x = _pool(nodes, x, options)
    x = _normalise(nodes, x, channels, options)
    if lrn_first:
        x = _pool(nodes, x, options)
    return [x if compute == dtype else nodes("Cast", x, to=dtype)]


def _pool(nodes: Nodes, x: ir.Value, options: Options) -> ir.Value:
    if not options.pools:
        return x
    return nodes.like(
        x,
        "MaxPool",
        x,
        kernel_shape=[options.kernel_y, options.kernel_x],
        strides=[options.stride_y, options.stride_x],
        ceil_mode=int(options.ceil_mode),
    )


def _normalise(nodes: Nodes, x: ir.Value, channels: int, options: Options) -> ir.Value:
    size = options.lrn_size
    if size == 0:
        return x
    factors = {"alpha": options.alpha, "beta": options.beta, "bias": options.k}
    if x.dtype != ir.DataType.DOUBLE:
        return nodes("LRN", x, size=size, **factors)
    # ONNX Runtime's LRN has no float64.
    double = [nodes.constant(n, x.dtype) for n in (options.alpha / size, options.beta, options.k)]
    pads = nodes.constant([0, size // 2, 0, 0, 0, size // 2, 0, 0])
    squares = nodes("Pad", nodes("Mul", x, x), pads)
    shifted = [
        nodes("Slice", squares, *map(nodes.constant, ([n], [n + channels], [1])))
        for n in range(size)
    ]
    sums = nodes("Add", double[2], nodes("Mul", nodes("Sum", *shifted), double[0]))
    return nodes("Div", x, nodes("Pow", sums, double[1]))
