"""A file that breaks or exhausts its reader is the end of one child process, and of nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
import structlog.testing

from shared.extract.sandbox.client import Sandbox
from shared.platform.errors import Rejected
from tests.unit.sandboxes import TEXT, linux, rejection, said, said_pids, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_text(TEXT, encoding="utf-8")
    return path


@linux
def test_a_file_may_have_a_name_that_is_no_text(sandbox: Sandbox, file: Path) -> None:
    """Linux takes any bytes; on a laptop the file is read where it lies."""
    odd = file.rename(file.with_name(os.fsdecode(b"b\xe9n\xff\n")))
    assert said(sandbox, task("report", odd))[0] == TEXT


def test_the_child_knows_its_task_and_nothing_of_ours(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and arguments arrive; the environment's secrets and open files do not."""
    monkeypatch.setenv("HEADRACE_SECRET", "x")
    fresh = Sandbox()
    text, arguments, environment = said(fresh, task("report", file, name="a.txt", password=None))
    fresh.stop()
    assert (text, arguments) == (TEXT, {"name": "a.txt", "password": None})
    assert "HEADRACE_SECRET" not in environment
    own = {"RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"}
    assert set(environment) <= own | {"LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ"}


@linux
def test_the_child_inherits_no_open_file(sandbox: Sandbox, file: Path) -> None:
    """But the way its answer takes, though another extraction is under way."""
    with ThreadPoolExecutor() as pool:
        other = pool.submit(said, sandbox, task("nap", file))
        time.sleep(0.1)
        files = said(sandbox, task("open_files", file))
        other.result()
    assert [entry for entry in files if entry.startswith("socket:")] == files[-1:]
    assert set(files[:-1]) == {"/dev/null"}


@pytest.mark.parametrize(
    "function", ["abort", "segfault", "killed", "exit_early", "bug", "recurse", "nonsense"]
)
def test_a_crash_is_the_files_own_error(sandbox: Sandbox, file: Path, function: str) -> None:
    """Whatever ends the child without a good answer; the next file is read by the same zygote."""
    before = said_pids(sandbox, file)
    assert rejection(sandbox, function, file).code == "extraction_crashed"
    assert said_pids(sandbox, file)[1] == before[1]


def test_what_an_unexpected_error_says_is_not_logged(sandbox: Sandbox, file: Path) -> None:
    """The log has its type and place; its message may quote the document."""
    with structlog.testing.capture_logs() as lines:
        rejection(sandbox, "bug", file)
    logged = str(lines)
    assert "KeyError at " in logged
    assert "harmful.py:" in logged
    assert "pump" not in logged


def test_a_refusal_comes_through(sandbox: Sandbox, file: Path) -> None:
    """Code, sentence and hint, as the reader worded them."""
    refused = rejection(sandbox, "reject", file)
    assert (refused.code, refused.message, refused.hint) == ("no_text", "There is nothing.", "Look again.")


@pytest.mark.parametrize("function", ["hog", "hog_in_c"])
@linux
def test_memory_has_a_limit(sandbox: Sandbox, file: Path, function: str) -> None:
    """Whether Python notices or a library falls over, and without more than the limit being taken."""
    assert rejection(sandbox, function, file).code == "too_much_memory"


def test_time_has_a_limit_in_seconds_of_the_clock(sandbox: Sandbox, file: Path) -> None:
    """A child that waits for ever is given up and killed."""
    started = time.monotonic()
    refused = rejection(sandbox, "sleep", file, seconds=0.5)
    assert refused.code == "too_slow"
    assert time.monotonic() - started < 5
    assert_no_children(sandbox)


def test_time_has_a_limit_in_seconds_of_the_processor(sandbox: Sandbox, file: Path) -> None:
    """A child that computes for ever is given up and killed."""
    assert rejection(sandbox, "spin", file, seconds=0.5).code == "too_slow"
    assert_no_children(sandbox)


def test_the_kernel_stops_a_child_that_computes_for_ever() -> None:
    """Also where nobody waits for it: the limit on CPU stands beside the caller's clock."""
    program = "from shared.extract.sandbox.confine import confine; confine(0.5, 1 << 30)\nwhile 1: pass"
    done = subprocess.run([sys.executable, "-c", program], timeout=30, check=False)
    assert done.returncode == -signal.SIGXCPU


def test_an_answer_has_a_limit(sandbox: Sandbox, file: Path) -> None:
    """More than a file within its limits can give is not even read."""
    with pytest.raises(Rejected) as caught:
        said(sandbox, replace(task("huge", file), characters=1000, memory=1 << 30))
    assert caught.value.code == "too_many_characters"


def test_half_a_surrogate_pair_does_not_break_the_answer(sandbox: Sandbox, file: Path) -> None:
    """JSON can say it, UTF-8 cannot."""
    assert said(sandbox, task("half_character", file)) == "half ? a pair"


def test_python_code_reaches_neither_network_nor_processes(sandbox: Sandbox, file: Path) -> None:
    """Sockets, names, programs, forks and signals are refused."""
    outcomes = said(sandbox, task("python_reach", file))
    assert outcomes.pop("http") in {"PermissionError", "URLError"}
    assert set(outcomes.values()) == {"PermissionError"}, outcomes


@linux
def test_libraries_reach_neither_network_nor_processes(sandbox: Sandbox, file: Path) -> None:
    """What a taken-over C library would try fails with EPERM; a bomb of forks has no first one."""
    if not said(sandbox, task("kernel_can", file))[0]:
        pytest.skip("this kernel has no seccomp filters for us")
    outcomes = said(sandbox, task("library_reach", file))
    assert set(outcomes.values()) == {1}, outcomes


@linux
def test_files_cannot_be_written_and_the_caller_not_read(sandbox: Sandbox, file: Path) -> None:
    """Not even the upload itself."""
    if not said(sandbox, task("kernel_can", file))[1]:
        pytest.skip("this kernel has no Landlock")
    outcomes = said(sandbox, task("file_reach", file))
    assert set(outcomes.values()) == {"PermissionError"}, outcomes
    assert file.read_text(encoding="utf-8") == TEXT


def assert_no_children(sandbox: Sandbox) -> None:
    assert sandbox._zygote
    zygote = psutil.Process(sandbox._zygote.pid)
    wait_until(lambda: not zygote.children())
