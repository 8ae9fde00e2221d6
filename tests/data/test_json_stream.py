"""Large JSON files are read an element at a time, and bad ones are refused at the right place."""

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast.data import CaptionFileError, _json_stream
from lrcn_fast.data._json_stream import iter_elements

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.lists(values, max_size=6),
    st.lists(values, max_size=6),
    values,
    st.integers(1, 40),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_elements_of_any_json_in_pieces_of_any_size(
    tmp_path: Path,
    first: object,
    second: object,
    other: object,
    piece: int,
    indent: int,
    ascii: bool,
) -> None:
    path = tmp_path / "file.json"
    content = {"other": other, "first": first, "rest": [other], "second": second}
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=ascii))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_stream, "PIECE", piece)
        found = list(iter_elements(path, ("first", "second")))
    for name, expected in (("first", first), ("second", second)):
        elements = [element for array, _, element in found if array == name]
        assert elements == expected
        assert [index for array, index, _ in found if array == name] == list(range(len(elements)))


@given(st.integers(0, 60), st.integers(1, 40))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int, piece: int) -> None:
    path = tmp_path / "cut.json"
    text = '{"a": [{"id": 12, "text": "\\u00e9 dog"}, true, null, -1.5e3]}'
    assert length < len(text)
    path.write_text(text[:length])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_stream, "PIECE", piece)
        with pytest.raises(CaptionFileError, match=r"cut\.json: bad JSON at line 1, column \d+"):
            list(iter_elements(path, ("a",)))


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: the file ends here"),
        ("[1]", r"line 1, column 1: expected '\{', got '\['"),
        ('{"a": [1 2]}', "line 1, column 10: expected ',' or ']', got '2'"),
        ('{"a":\n [1,\n  oops]}', "line 3, column 3: Expecting value"),
        ('{"a": [1,]}', "line 1, column 10: Expecting value"),
        ('{"a": {"b": 1}}', "a: expected an array"),
        ('{"b": 1, 2: []}', "expected a name in quotes, got 2"),
        ('{"a": []} {}', "line 1, column 11: more than one value"),
        ('{"a": ["x\ty"]}', "line 1, column 10: Invalid control character"),
    ],
)
def test_bad_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, piece: int
) -> None:
    monkeypatch.setattr(_json_stream, "PIECE", piece)
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(CaptionFileError, match=rf"bad\.json: bad JSON at .*{message}"):
        list(iter_elements(path, ("a",)))


@pytest.mark.parametrize("text", ["{}", '{"b": []}'])
def test_missing_arrays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(CaptionFileError, match=r"file\.json: the object has no a and no c"):
        list(iter_elements(path, ("c", "a")))


def test_an_endless_string_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json_stream, "PIECE", 100)
    monkeypatch.setattr(_json_stream, "LARGEST", 1000)
    path = tmp_path / "endless.json"
    path.write_text('{"a": ["' + "x" * 5000)
    with pytest.raises(CaptionFileError, match="a single value of more than 1000 characters"):
        list(iter_elements(path, ("a",)))


def test_deep_nesting(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"a": [' + "[" * 200_000)
    with pytest.raises(CaptionFileError, match=r"deep\.json: bad JSON"):
        list(iter_elements(path, ("a",)))


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json_stream, "PIECE", 4096)
    path = tmp_path / "large.json"
    row = json.dumps({"id": 1, "caption": "a dog runs " * 20})
    path.write_text('{"a": [' + ",".join([row] * 5000) + "]}")
    tracemalloc.start()
    count = sum(1 for _ in iter_elements(path, ("a",)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5000
    assert peak < path.stat().st_size / 10


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.json"
    path.write_bytes(b'{"a": ["\xff"]}')
    with pytest.raises(CaptionFileError, match=r"binary\.json: expected UTF-8 text"):
        list(iter_elements(path, ("a",)))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        list(iter_elements(tmp_path / "nowhere", ("a",)))
