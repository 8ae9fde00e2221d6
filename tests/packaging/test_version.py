"""The version is written down once."""

import importlib.metadata
import re

import lrcn_fast
from tests.packaging.run import ROOT


def test_one_file_holds_the_version() -> None:
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for folder in ("lrcn_fast", "build_tools", "csrc")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".h", ".cpp", ".cu")
    }
    texts |= {name: (ROOT / name).read_text() for name in ("pyproject.toml", "setup.py")}
    pattern = re.compile(rf"(?<![\d.]){re.escape(lrcn_fast.__version__)}(?![\d.])")
    assert [name for name, text in texts.items() if pattern.search(text)] == [
        "lrcn_fast/_version.py"
    ]


def test_changelog_has_the_version() -> None:
    assert f"## [{lrcn_fast.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_metadata_has_the_version() -> None:
    assert importlib.metadata.version("lrcn-fast") == lrcn_fast.__version__
