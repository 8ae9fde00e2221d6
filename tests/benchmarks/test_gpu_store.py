import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import store as store_module
from benchmarks.gpu.store import Store, read, write_atomically
from benchmarks.machine import ROOT
from tests.benchmarks.gpu_fakes import HEADER, STEM


def make(*folders: Path, **changes: Any) -> Store:
    return Store(folders, STEM, {**HEADER, **changes}, lambda result: "table\n")


def test_a_write_that_fails_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "file"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_every_part_is_saved_at_once_in_every_folder(tmp_path: Path) -> None:
    store = make(tmp_path / "a", tmp_path / "b")
    store.put("build", {"status": "passed"})
    for folder in ("a", "b"):
        saved = json.loads((tmp_path / folder / f"{STEM}.json").read_text())
        assert saved["device"]["name"] == HEADER["device"]["name"]
        assert saved["commit"] == HEADER["commit"] and saved["dirty"] is False
        part = saved["parts"]["build"]
        assert part["status"] == "passed" and part["versions"] == HEADER["versions"]
        assert {"date", "commit", "dirty"} <= part.keys()
        assert (tmp_path / folder / f"{STEM}.md").read_text() == "table\n"


def test_a_killed_run_leaves_a_usable_file_and_is_carried_on(tmp_path: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from benchmarks.gpu import store
from tests.benchmarks.test_gpu_store import make
store.SAVE_SECONDS = 0
made = make(Path({str(tmp_path)!r}))
made.put("build", {{"status": "passed"}})
publish = made.publisher("bench")
publish({{"status": "running"}})
publish({{"status": "running", "rows": [{{"name": "a"}}]}})
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert done.returncode == -9
    left = read(tmp_path / f"{STEM}.json")
    assert left is not None and left["parts"]["bench"]["rows"] == [{"name": "a"}]
    again = make(tmp_path)
    assert again.done("build") and not again.done("bench") and again.same_stamp("bench")
    assert again.earlier["bench"]["rows"] == [{"name": "a"}]


def test_parts_of_another_commit_stay_but_are_not_done(tmp_path: Path) -> None:
    make(tmp_path).put("probes", {"status": "passed"})
    other = make(tmp_path, commit="e" * 40)
    assert other.result["parts"]["probes"]["commit"] == HEADER["commit"]
    assert not other.done("probes")
    assert not make(tmp_path, dirty=True).done("probes")
    assert not make(tmp_path, commit=None).done("probes")
    assert make(tmp_path).done("probes")


def test_a_part_with_something_left_is_not_done(tmp_path: Path) -> None:
    make(tmp_path).put("bench", {"status": "passed", "not_run": ["x"]})
    assert not make(tmp_path).done("bench")
    make(tmp_path).put("bench", {"status": "passed", "not_run": []})
    assert make(tmp_path).done("bench")


def test_files_of_other_forms_are_not_taken_over(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", '{"format": 0, "parts": {}}'):
        (tmp_path / f"{STEM}.json").write_text(text)
        assert make(tmp_path).earlier == {}


def test_progress_is_not_written_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    store = make(tmp_path)
    monkeypatch.setattr(store_module, "write_atomically", lambda path, text: written.append(path))
    publish = store.publisher("bench")
    for _ in range(50):
        publish({"status": "running"})
    assert len(written) == 2
