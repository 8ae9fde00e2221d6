"""Nets and weights of the original Caffe: read, run, trained and written.

Needs protobuf, ``pip install "lrcn-fast[caffe]"``, which is looked for when a file is read.
"""

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.reader import read_mean

__all__ = ["CaffeError", "read_mean"]
