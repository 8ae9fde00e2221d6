"""Declares the extension; everything else about the package is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import Extension, setup

# Build front ends do not put the project's own folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_tools.extension import BuildExtension

setup(
    # The sources are build_tools.plan's business: they get different flags, and some several times.
    ext_modules=[Extension("lrcn_fast._C", sources=[], py_limited_api=True)],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
