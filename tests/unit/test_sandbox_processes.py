"""Zygote and children: several at once, dead ones replaced, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest

from shared.extract.sandbox import SandboxUnavailable
from shared.extract.sandbox.client import Sandbox
from shared.platform.errors import Retryable
from tests.unit.sandboxes import TEXT, rejection, said, said_pids, task, wait_until

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


def child_of(zygote: int) -> psutil.Process:
    """The one that reads now, as it was seen: it does not for long."""
    seen: list[psutil.Process] = []

    def look() -> bool:
        seen[:] = psutil.Process(zygote).children()
        return bool(seen)

    wait_until(look)
    (child,) = seen
    return child


def test_several_extractions_run_at_once(sandbox: Sandbox, file: Path) -> None:
    """Eight that wait half a second each are done long before four seconds."""
    said_pids(sandbox, file)  # started
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(said, [sandbox] * 8, [task("nap", file)] * 8))
    assert texts == ["awake"] * 8
    assert time.monotonic() - started < 4


def test_one_crash_does_not_touch_the_others(sandbox: Sandbox, file: Path) -> None:
    """Children share nothing that breaks."""
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(said, sandbox, task("nap", file)) for _ in range(3)]
        assert rejection(sandbox, "abort", file).code == "extraction_crashed"
        assert [other.result() for other in others] == ["awake"] * 3


def test_a_dead_zygote_is_replaced(sandbox: Sandbox, file: Path) -> None:
    """Between files, and in the middle of one, which is then read again."""
    child, zygote = said_pids(sandbox, file)
    os.kill(zygote, signal.SIGKILL)
    assert said_pids(sandbox, file)[1] != zygote
    zygote = said_pids(sandbox, file)[1]
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(said, sandbox, task("nap", file))
        child = child_of(zygote).pid
        os.kill(zygote, signal.SIGKILL)
        assert reading.result() == "awake"
    if sys.platform == "linux":
        wait_until(lambda: not psutil.pid_exists(child))


def test_a_child_killed_once_from_outside_is_no_fault_of_the_file(sandbox: Sandbox, file: Path) -> None:
    """It is read again; only the second time is it refused."""
    zygote = said_pids(sandbox, file)[1]
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(said, sandbox, task("nap", file))
        child_of(zygote).kill()
        assert reading.result() == "awake"


def test_where_no_process_can_be_started_the_file_is_not_judged(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is one that is tried again: no interpreter, or one that ends at once."""
    for interpreter in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", interpreter)
        sandbox = Sandbox()
        with pytest.raises(SandboxUnavailable) as caught:
            said(sandbox, task("report", file))
        assert isinstance(caught.value, Retryable)
        sandbox.stop()


def test_a_file_that_is_not_there_is_not_judged(sandbox: Sandbox, file: Path) -> None:
    """That is the caller's mistake, and no text of the file."""
    file.unlink()
    with pytest.raises(SandboxUnavailable):
        said(sandbox, task("report", file))


def test_all_end_with_the_caller(file: Path) -> None:
    """A caller that is killed leaves neither zygote nor child, not even one that is busy."""
    program = f"""
import sys
from shared.extract.sandbox.client import Sandbox
from tests.unit.sandboxes import said, said_pids, task
from pathlib import Path
sandbox = Sandbox()
print(*said_pids(sandbox, Path({str(file)!r})), flush=True)
said(sandbox, task("sleep", Path({str(file)!r}), 60))
"""
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert caller.stdout
    zygote = int(caller.stdout.readline().split()[1])
    wait_until(lambda: bool(psutil.Process(zygote).children()))
    family = [zygote, *(process.pid for process in psutil.Process(zygote).children())]
    caller.kill()
    caller.wait()
    caller.stdout.close()
    wait_until(lambda: not any(map(psutil.pid_exists, family)))


def test_a_thread_that_ends_takes_no_zygote_with_it(file: Path) -> None:
    """A server's threads come and go."""
    sandbox = Sandbox()
    pids: list[tuple[int, int]] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: pids.append(said_pids(sandbox, file)))
        thread.start()
        thread.join()
        time.sleep(0.1)
    sandbox.stop()
    assert pids[0][1] == pids[1][1]
