"""The one error of this package."""

__all__ = ["CaffeError"]


class CaffeError(ValueError):
    """A file, net or blob that is not what Caffe writes or that is not supported.

    The message names the file, layer or blob, what was expected, and what came.
    """
