"""The stack starts fast, says plainly what is in its way, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from local.services import EMULATORS
from tests.e2e import commands
from tests.e2e.running import HEADRACE, PORTS, ROOT, RunningStack, clean_environment, free_ports

if TYPE_CHECKING:
    from pathlib import Path


def family(stack: RunningStack) -> list[psutil.Process]:
    """The supervisor and every process below it."""
    assert stack.process is not None
    supervisor = psutil.Process(stack.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def gone(processes: list[psutil.Process], seconds: float = 60) -> bool:
    """Whether all of them end in time."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def check_ends(stack: RunningStack, sign: signal.Signals) -> None:
    """The signal ends everything that the supervisor started, and it says so by status 0."""
    processes = family(stack)
    assert len(processes) >= 7
    stack.down(sign)
    assert gone(processes)
    assert stack.process is not None
    assert stack.process.returncode == 0
    assert not (stack.data / "stack.json").exists()


def test_a_killed_supervisor_takes_busy_processes_along(own_stack: RunningStack, tmp_path: Path) -> None:
    """Kill -9 of it ends a worker with a request in progress too, at once, and the ports can be used again.

    What was analyzed is there after the next start, which Ctrl-C ends; `--reset` starts empty.
    """
    own_stack.forked = False
    report = tmp_path / "kept.txt"
    report.write_text("The plant cut its water use by a fifth in 2025. It will stop using coal by 2030.")
    own_stack.up()
    [shown] = own_stack.json("drop", str(report), "--wait")
    processes = family(own_stack)
    port = next(item["port"] for item in own_stack.stack()["processes"] if item["name"] == "ingest")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: ingest\r\nContent-Length: 10\r\n\r\n")  # no body
        time.sleep(0.5)  # until a worker reads it: there is nothing that says so
        own_stack.down(signal.SIGKILL)
        assert gone(processes, seconds=5)
        own_stack.up()
    assert own_stack.json("show", shown["id"]) == [shown]
    check_ends(own_stack, signal.SIGINT)
    own_stack.up("--reset")
    assert own_stack.json("show") == []


def test_a_second_stack_gets_ports_of_its_own(stack: RunningStack, tmp_path: Path) -> None:
    """Where the usual ports are taken and none is named, free ones are chosen, said and written down."""
    others = free_ports()
    patched = (
        f"from local import processes, stack; stack.DEFAULT_PORT = {stack.port}; "
        f"processes.OTHER_PORTS = {others}; from cli.main import main; main()"
    )
    command = [sys.executable, "-c", patched, "up", "--data", str(tmp_path / "second")]
    second = RunningStack(tmp_path / "second", others)
    second.process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True)
    assert second.process.stdout is not None
    try:
        assert f"Port {stack.port} is in use" in second.process.stdout.readline()
        assert second.process.stdout.readline() == "ready\n"
        ports = {process["port"] for process in second.stack()["processes"]}
        assert ports.isdisjoint(process["port"] for process in stack.stack()["processes"])
        report = tmp_path / "second.txt"
        report.write_text("The mill recycled 40 tonnes of waste paper in 2025.")
        [shown] = second.json("drop", str(report), "--wait")
        assert shown["state"] == "completed"
        assert not stack.record(shown["id"])
    finally:
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(90) == 0


def test_nothing_binds_beyond_loopback(stack: RunningStack) -> None:
    """Every listening socket of every process is on 127.0.0.1."""
    listening = set()
    for process in family(stack):
        with suppress(psutil.NoSuchProcess):  # a function on demand that was idle
            found = process.net_connections(kind="inet")
            addresses = (one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN)
            listening |= {one.removeprefix("::ffff:") for one in addresses}  # gRPC's are IPv6's form of it
    assert listening == {"127.0.0.1"}


def test_commands_say_so_where_no_stack_runs(tmp_path: Path) -> None:
    """One line that names the directory and the command that starts a stack."""
    done = commands.run(["show", "--data", str(tmp_path)], clean_environment(), 60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"headrace up --data {tmp_path}" in done.stderr


def refused(own_stack: RunningStack, *options: str) -> str:
    """The one line with which a start is refused."""
    arguments = ["up", "--data", str(own_stack.data), "--port", str(own_stack.port), *options]
    done = commands.run(arguments, clean_environment() | own_stack.extra, 150)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("offset", [0, PORTS - 1])
def test_a_port_in_use_is_one_clear_line(own_stack: RunningStack, offset: int) -> None:
    """It names the port and the option that chooses others, and nothing stays running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own_stack.port + offset))
        taken.listen()
        line = refused(own_stack)
    assert line.count("\n") == 1
    assert str(own_stack.port + offset) in line
    assert "--port" in line


def test_a_missing_model_is_one_clear_line(own_stack: RunningStack, tmp_path: Path) -> None:
    """It says how to build one."""
    line = refused(own_stack, "--model", str(tmp_path / "nothing"))
    assert line.count("\n") == 1
    assert "make model" in line


def test_a_dying_child_is_named_with_its_last_words(own_stack: RunningStack, tmp_path: Path) -> None:
    """A function that cannot start ends the stack with the function's name and the end of its log."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "functions_framework.py").write_text("raise SystemExit('the disk is on fire')")
    own_stack.extra = {"PYTHONPATH": f"{ROOT}:{site}"}
    line = refused(own_stack)
    assert "the function ingest ended with status 1" in line
    assert "the disk is on fire" in line


def test_a_directory_has_one_stack(stack: RunningStack) -> None:
    """A second stack on the same data is refused before it touches anything."""
    done = stack.command("up", "--data", str(stack.data), "--port", str(free_ports()))
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert stack.command("env").returncode == 0


def test_the_users_emulator_is_used(own_stack: RunningStack, tmp_path: Path) -> None:
    """Where FIRESTORE_EMULATOR_HOST is set, that server holds the documents and ours is not started.

    SIGTERM ends the stack, and not that server.
    """
    port = free_ports()
    folder = tmp_path / "theirs"
    folder.mkdir()
    command = [sys.executable, "-m", "local.firestore", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--data", str(folder)], env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as theirs:
        assert theirs.stdout is not None
        assert theirs.stdout.readline().strip() == "ready"
        try:
            own_stack.extra = {"FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{port}"}
            own_stack.up()
            stack = own_stack.stack()
            assert "firestore" not in [process["name"] for process in stack["processes"]]
            assert stack["environment"]["FIRESTORE_EMULATOR_HOST"] == f"127.0.0.1:{port}"
            report = tmp_path / "theirs.txt"
            report.write_text("The mill recycled 40 tonnes of waste paper in 2025.")
            assert own_stack.json("drop", str(report), "--wait")[0]["state"] == "completed"
            check_ends(own_stack, signal.SIGTERM)
        finally:
            theirs.kill()


def test_a_silent_emulator_of_the_user_is_one_clear_line(own_stack: RunningStack) -> None:
    """The variable is named, and how to go on without it."""
    own_stack.extra = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}
    line = refused(own_stack)
    assert line.count("\n") == 1
    assert "unset PUBSUB_EMULATOR_HOST" in line


def test_env_prints_what_a_shell_needs(stack: RunningStack) -> None:
    """One export a line, for each emulator and the project, and the addresses are the stack's."""
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", stack.command("env").stdout, re.MULTILINE))
    assert exports == stack.stack()["environment"] == stack.json("env")
    assert set(exports) == {*EMULATORS, "GOOGLE_CLOUD_PROJECT"}
    shell = (
        f'eval "$({sys.executable} -c "from cli.main import main; main()" env)" && echo $GOOGLE_CLOUD_PROJECT'
    )
    environment = clean_environment() | {"HEADRACE_DATA": str(stack.data)}
    done = subprocess.run(["sh", "-c", shell], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "headrace-local"


def test_make_runs_main_job(tmp_path: Path) -> None:
    """What `make run` starts: the samples' results in a table, then it stays until Ctrl-C."""
    port = free_ports()
    command = [*HEADRACE, "run", "--data", str(tmp_path / "data"), "--port", str(port)]
    process = subprocess.Popen(
        command, env=clean_environment() | {"COLUMNS": "160"}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "headrace show" in line:
            break
    time.sleep(0.5)
    assert process.poll() is None, "".join(lines)
    printed = "".join(lines)
    for sample in (ROOT / "samples").iterdir():
        if sample.suffix in {".pdf", ".txt", ".csv", ".jsonl"}:
            assert re.search(rf"{re.escape(sample.name)} +[0-9a-f]{{24}} +completed", printed)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(90) == 0
    assert gone(children)
