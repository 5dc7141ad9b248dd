"""Which ports a stack starts on, what it waits for first, and what it lives through."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from local import processes
from local.processes import RESTARTS, Service
from local.services import TITLES, Layout
from local.stack import STACK_FILE, Watch, _await_killed, _chosen_port
from shared.platform.errors import SetupError
from tests.e2e.running import free_ports

if TYPE_CHECKING:
    from pathlib import Path

LISTENS = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_ports_are_chosen_by_one_stack_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start waits until the first listens, and then gets other ports, which it is told."""
    first = free_ports()
    monkeypatch.setattr("local.stack.DEFAULT_PORT", first)
    monkeypatch.setattr("local.processes.OTHER_PORTS", free_ports())
    said: list[str] = []
    chosen: list[int] = []

    def choose() -> None:
        with _chosen_port(said.append) as port:
            chosen.append(port)

    second = threading.Thread(target=choose)
    with _chosen_port(said.append) as port:
        assert port == first
        second.start()
        second.join(0.2)
        assert not chosen
        server = socket.create_server(("127.0.0.1", first + len(TITLES) - 1))
    with server:
        second.join(30)
    assert chosen
    assert chosen[0] not in range(first - len(TITLES) + 1, first + len(TITLES))
    [line] = said
    assert f"Port {first + len(TITLES) - 1} is in use" in line
    assert f"{chosen[0]} to {chosen[0] + len(TITLES) - 1}" in line


def test_grpc_leaves_forks_alone() -> None:
    """It would start threads in a service that is about to begin, and abort one of a hundred."""
    assert os.environ["GRPC_ENABLE_FORK_SUPPORT"] == "0"


def test_processes_of_a_killed_stack_are_waited_for(tmp_path: Path) -> None:
    """While one still holds its port; a stranger on such a port is not waited for."""
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", LISTENS], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as left:
        assert left.stdout is not None
        process = {"name": "ingest", "pid": left.pid, "port": int(left.stdout.readline())}

        def say(line: str) -> None:
            said.append(line)
            left.kill()
            left.wait()

        (tmp_path / STACK_FILE).write_text(json.dumps({"processes": [process]}))
        _await_killed(tmp_path, say)
    assert len(said) == 1
    assert "ingest" in said[0]
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        process["port"] = stranger.getsockname()[1]
        (tmp_path / STACK_FILE).write_text(json.dumps({"processes": [process]}))
        _await_killed(tmp_path, said.append)
    assert len(said) == 1


def dying(folder: Path) -> Service:
    """A process that ends as soon as it has started."""
    return Service("dying", "The process", ["false"], 0, {}, lambda: False, folder / "dying.log")


def end(service: Service) -> None:
    assert service.process is not None
    service.process.wait()


def test_a_full_disk_is_not_held_against_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it dies while space is low it is started again; afterwards it has its usual chances."""
    monkeypatch.setattr(processes, "LOW_PAUSE", 0.0)
    service = dying(tmp_path)
    service.start()
    monkeypatch.setattr(processes, "space_is_low", lambda _: True)
    for _ in range(RESTARTS + 2):
        end(service)
        assert "the disk is full" in str(service.revive())
    monkeypatch.setattr(processes, "space_is_low", lambda _: False)
    for _ in range(RESTARTS - 1):
        end(service)
        assert "the disk is full" not in str(service.revive())
    end(service)
    with pytest.raises(SetupError, match="died"):
        service.revive()


def test_starts_are_spaced_while_space_is_low(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot start on a full disk is not started as often as the stack is looked at."""
    monkeypatch.setattr(processes, "space_is_low", lambda _: True)
    service = dying(tmp_path)
    service.start()
    end(service)
    assert service.revive() is not None
    end(service)
    assert service.revive() is None


def test_the_stack_outlives_a_file_that_it_cannot_write(tmp_path: Path) -> None:
    """`stack.json` is written once there is room again."""
    service = dying(tmp_path)
    watch = Watch(Layout(tmp_path, 1, {}), [service], lambda _: None, tmp_path)
    service.start()
    end(service)
    in_the_way = tmp_path / "stack.tmp"
    in_the_way.mkdir()
    watch.look()
    assert not (tmp_path / STACK_FILE).exists()
    in_the_way.rmdir()
    watch.services = []
    watch.look()
    assert (tmp_path / STACK_FILE).exists()


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_clock_ends_no_function_at_work(
    hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process on demand is idle when its log has not changed for a while, not when the clock says so."""
    service = dying(tmp_path)
    service.on_demand = True
    service.log.touch()
    assert not service.attend()
    monkeypatch.setattr("local.processes.time.time", lambda: service.log.stat().st_mtime + hours * 3600)
    assert not service.attend()
    monkeypatch.setattr(processes, "IDLE_SECONDS", -1.0)
    assert service.attend()
    service.stop(0.0)
