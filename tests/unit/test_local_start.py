"""Which ports a stack starts on, and what it waits for first."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from local.services import TITLES
from local.stack import STACK_FILE, _await_killed, _chosen_port
from tests.e2e.running import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
