"""The caller's side: hand a file to a child, and wait for its answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared.extract.refusals import too_many
from shared.extract.sandbox.endings import crashed, judge, most_answer_bytes, refuse_bad_ending, too_slow
from shared.extract.sandbox.wire import AnswerReader, Ending, Task, pack_task, unpack_ending
from shared.extract.sandbox.zygote import NO_FILE, NOT_STARTED, STARTED
from shared.platform.errors import HeadraceError, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.shapes import Extracted, ExtractOptions

_START = "import sys; from shared.extract.sandbox.zygote import main; main(int(sys.argv[1]))"
_EXTRACT = "shared.extract.core:extract"
_START_SECONDS = 30.0
"""For the zygote to load and to fork; a machine that needs longer is out of order."""
_ATTEMPTS = 2
"""A zygote or child that somebody killed may have been unlucky; one that is killed twice was not."""
_INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""What of the environment a zygote may know: what Python may need to start."""
_CHUNK = 1 << 20
_KILLED = {-signal.SIGKILL, -signal.SIGTERM}  # by the kernel for want of memory, or by an operator


class SandboxUnavailable(Retryable):
    """A process for the extraction could not be started."""


class _Killed(Exception):
    """From outside; what to say of it if it happens again is `verdict`."""

    def __init__(self, verdict: HeadraceError) -> None:
        super().__init__()
        self.verdict = verdict


def extract_apart(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    options: ExtractOptions,
    seconds: float,
    memory: int,
) -> Extracted:
    """`shared.extract.extract`, in a process of its own that may take `seconds` and `memory` bytes.

    May be called from several threads at once. `memory` is address space: what Python and the libraries map
    counts too.

    Raises:
        Rejected: as `extract`; and `extraction_crashed`, `too_slow`, `too_much_memory`.
        SandboxUnavailable: no process could be started; that says nothing of the file.
    """
    return _sandbox.run(Task(_EXTRACT, str(path.resolve()), name, content_type, options, seconds, memory))


def prepare() -> None:
    """Start the zygote before the first file comes; does not wait until it is ready.

    Raises:
        SandboxUnavailable: it could not be started.
    """
    _sandbox.prepare()


@dataclass
class Sandbox:
    """One zygote, started on first use, and again when it has died or this process is a fork."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _owner: int = 0
    _zygote: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None

    def prepare(self) -> None:
        """See the function."""
        with self._lock:
            self._live_control()

    def run(self, task: Task) -> Extracted:
        """Have `task` done; raises what `extract_apart` raises."""
        verdict: HeadraceError = SandboxUnavailable()
        for _ in range(_ATTEMPTS):
            try:
                return self._attempt(task)
            except _Killed as killed:
                verdict = killed.verdict
        raise verdict

    def stop(self) -> None:
        """End the zygote, and with it every child."""
        with self._lock:
            if self._control and self._zygote:
                self._control.close()
                self._zygote.wait()
            self._control = self._zygote = None

    def _attempt(self, task: Task) -> Extracted:
        channel, status = self._start_child()
        with channel, status:
            deadline = time.monotonic() + task.seconds
            reader = AnswerReader()
            try:
                channel.settimeout(task.seconds)
                channel.sendall(pack_task(task))
                channel.shutdown(socket.SHUT_WR)
                left = most_answer_bytes(task.options.limits)
                for chunk in _chunks(channel, deadline):
                    left -= len(chunk)
                    if left < 0:
                        characters = task.options.limits.characters
                        raise too_many("characters", "more text than may be passed on", characters)
                    reader.feed(chunk)
                ending = _ending(b"".join(_chunks(status, deadline)))
            except TimeoutError:
                raise too_slow(task.seconds) from None
            except OSError as error:  # the child's or the zygote's end is closed
                raise _Killed(SandboxUnavailable()) from error
        if ending.code == NO_FILE:
            raise SandboxUnavailable(f"a child process cannot read {task.path}")
        if ending.code in _KILLED:
            raise _Killed(crashed())
        refuse_bad_ending(ending, task)
        return replace(judge(reader), cpu_seconds=ending.cpu)

    def _start_child(self) -> tuple[socket.socket, socket.socket]:
        """A new child's ends: of the channel for task and answer, and of what the zygote says of it."""
        channel, child_end = socket.socketpair()
        status, zygote_end = socket.socketpair()
        control = None
        try:
            with child_end, zygote_end, self._lock:
                control = self._live_control()
                socket.send_fds(control, [b"\0"], [child_end.fileno(), zygote_end.fileno()])
            status.settimeout(_START_SECONDS)
            said = status.recv(1)
        except OSError:  # also for want of time
            said = b""
        if said == STARTED:
            return channel, status
        channel.close()
        status.close()
        if said == NOT_STARTED:
            raise SandboxUnavailable
        self._give_up(control)
        raise _Killed(SandboxUnavailable())

    def _live_control(self) -> socket.socket:
        """The way to a zygote that is alive, as far as can be told; called under the lock."""
        if self._owner != os.getpid():  # a fork: the zygote is our parent's
            self._control = self._zygote = None
        if self._control and self._zygote and self._zygote.poll() is None:
            return self._control
        self._owner = os.getpid()
        self._control, zygote_end = socket.socketpair()
        with zygote_end:
            try:
                self._zygote = _popen(zygote_end.fileno())
            except OSError as error:
                raise SandboxUnavailable from error
        return self._control

    def _give_up(self, control: socket.socket | None) -> None:
        """Of a zygote that does not answer; unless another thread has replaced it already."""
        with self._lock:
            if self._zygote and self._control is control:
                self._zygote.kill()
                self._zygote.wait()


def _popen(control: int) -> subprocess.Popen[bytes]:
    """Start a zygote; its standard error is ours, for the case that it cannot start."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = Path(__file__).parents[3]
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, sys.path)])
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-P", "-c", _START, str(control)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(control,),
        start_new_session=True,  # an interrupt at the terminal is for the caller, who then ends the zygote
    )


def _chunks(source: socket.socket, deadline: float) -> Iterator[bytes]:
    """All there is to read until the other end is closed.

    Raises TimeoutError at the deadline (of the monotonic clock).
    """
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        source.settimeout(left)
        chunk = source.recv(_CHUNK)
        if not chunk:
            return
        yield chunk


def _ending(report: bytes) -> Ending:
    try:
        return unpack_ending(report)
    except ValueError as error:  # the zygote ended before the child
        raise _Killed(SandboxUnavailable()) from error


_sandbox = Sandbox()
