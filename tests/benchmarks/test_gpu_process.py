import json
import sys
import time
from pathlib import Path

from benchmarks.gpu.process import Command, module, record_of, run


def python(code: str) -> Command:
    return Command((sys.executable, "-c", code))


def test_records_are_handed_on_and_everything_is_logged(tmp_path: Path) -> None:
    code = """
import json, os, sys
print("words"); print(json.dumps({"a": 1})); print("{no json"); print("[1]")
print(os.environ["ADDED"], os.getcwd(), file=sys.stderr)
"""
    records: list[object] = []
    command = Command((sys.executable, "-c", code), {"ADDED": "here"})
    done = run(command, 20, tmp_path / "logs" / "log", records.append)
    assert done.ok and done.seconds < 20
    assert records == [{"a": 1}]
    log = (tmp_path / "logs" / "log").read_text()
    assert log.startswith(f"$ ADDED=here {sys.executable} -c")
    assert all(word in log for word in ("words", "{no json", "here ", "exit status 0"))


def test_a_failure_tells_its_last_line(tmp_path: Path) -> None:
    done = run(python("import sys; print('well'); sys.exit('not so')"), 20, tmp_path / "log")
    assert (done.ok, done.code) == (False, 1)
    assert done.reason().endswith("not so") and done.reason().startswith("exit status 1")


def test_a_missing_program_is_a_failure(tmp_path: Path) -> None:
    done = run(Command(("no-such-program",)), 5, tmp_path / "log")
    assert done.code == 127 and "no-such-program" in done.reason()


def test_what_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
print("begun", flush=True)
time.sleep(60)
"""
    start = time.monotonic()
    done = run(python(code), 1.0, tmp_path / "log")
    assert (done.status, done.code) == ("timed out", None)
    assert time.monotonic() - start < 10
    stat = Path("/proc", (tmp_path / "child").read_text(), "stat")
    deadline = time.monotonic() + 5
    while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_silence_is_a_stall(tmp_path: Path) -> None:
    code = "import time\nfor _ in range(3): print('x', flush=True); time.sleep(0.2)\ntime.sleep(60)"
    done = run(python(code), 30, tmp_path / "log", stall=1.0)
    assert done.status == "stalled" and done.tail == ("x", "x", "x")


def test_lines_that_are_no_objects_are_no_records() -> None:
    assert record_of("[1]") is None and record_of("{") is None and record_of("") is None
    assert record_of(json.dumps({"b": 2})) == {"b": 2}


def test_modules_are_commands() -> None:
    assert str(module("py", "a.b", "--c")) == "py -m a.b --c"
