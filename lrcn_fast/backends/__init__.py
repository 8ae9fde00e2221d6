"""Which implementation runs a call: native (the compiled kernels), triton or reference.

Choice: the ``backend`` argument, else :func:`use_backend`, else ``LRCN_FAST_BACKEND``, else the
first by priority that supports the call. An explicit choice works or raises.
"""

from lrcn_fast.backends.plan import GPUS, Gpu, Plan, plan, use_persistent
from lrcn_fast.backends.registry import Backend, available, choose, explain, use_backend
from lrcn_fast.backends.spec import LstmSpec, OpSpec, Spec
from lrcn_fast.backends.wavefront import Wavefront, wavefront, window_here

__all__ = [
    "GPUS",
    "Backend",
    "Gpu",
    "LstmSpec",
    "OpSpec",
    "Plan",
    "Spec",
    "Wavefront",
    "available",
    "choose",
    "explain",
    "plan",
    "use_backend",
    "use_persistent",
    "wavefront",
    "window_here",
]
