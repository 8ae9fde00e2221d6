"""Plain torch operations, step by step: works everywhere, slowly."""

from lrcn_fast.backends.spec import Spec

__all__ = ["device_types", "name", "priority", "probe", "suffix", "supports"]

name = "reference"
priority = 1
suffix = "_reference"
# Any.
device_types = ()


def probe() -> tuple[str, str] | None:
    """Return None: the backend needs nothing but torch."""
    return None


def supports(spec: Spec) -> str | None:
    """Return None, or why the call is not supported."""
    return None if spec.dtype.is_floating_point else f"dtype {spec.dtype} is not a floating one"
