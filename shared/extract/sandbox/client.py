"""Run a task in a child process that has limits, and report how it ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.extract.refusals import too_many
from shared.extract.sandbox.wire import AnswerReader, pack_task, unpack_ending
from shared.extract.sandbox.zygote import NO_FILE, NOT_STARTED, OUT_OF_MEMORY, STARTED
from shared.inference.tokens import THREADS
from shared.platform.errors import HeadraceError, Rejected, Retryable, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.extract.sandbox.wire import Ending, Task


_BYTES_A_CHARACTER = 4
_OVERHEAD = 64 << 20  # bytes of an answer beside its text
_NEARLY_ALL = 0.75
"""A library that crashes with so much of the memory in use crashed for want of memory."""


def misshapen() -> Rejected:
    """The child sent an answer of a wrong shape."""
    _log("an answer of another shape")
    return crashed()


def crashed() -> Rejected:
    """The reader, or a library that it uses, crashed on the file."""
    return Rejected(
        "extraction_crashed",
        "The program that reads this type of file broke down on it; the file may be damaged.",
        "Open it in the program it was made with, save it as a new file and upload that.",
    )


def too_slow(seconds: float) -> Rejected:
    """Reading the file takes too long."""
    return Rejected(
        "too_slow",
        f"Reading the file took longer than the {seconds:,.0f} seconds it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def too_much_memory(memory: int) -> Rejected:
    """Reading the file takes too much memory."""
    return Rejected(
        "too_much_memory",
        f"Reading the file took more than the {memory / (1 << 20):,.0f} MiB of memory it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def _log(how: str) -> None:
    """Log a crash for operators; `how` comes from an untrusted process, so it is cut."""
    import structlog

    structlog.get_logger().warning("extraction crashed", how=how[:300])


class Takes(Protocol):
    """Collects the pieces of an answer."""

    def take(self, piece: bytes) -> None:
        """Take a piece, as JSON; raise ValueError if it has a wrong shape."""


Collector = TypeVar("Collector", bound=Takes)

_START = "import sys; from shared.extract.sandbox.zygote import main; main(int(sys.argv[1]), *sys.argv[2:])"
_START_SECONDS = 30.0
"""Time for the zygote to load and to fork."""
_ATTEMPTS = 2
"""A zygote or child that was killed is started once more: the file need not be the cause."""
_INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""Environment variables that a zygote gets: what Python may need to start, no secrets."""
_CHUNK = 1 << 20
_KILLED = {-signal.SIGKILL, -signal.SIGTERM}  # by the kernel for want of memory, or by an operator


class SandboxUnavailable(Retryable):
    """A process for the extraction could not be started."""


class _Killed(Exception):
    """The zygote or the child was killed from outside; `verdict` is raised if that happens again."""

    def __init__(self, verdict: HeadraceError) -> None:
        super().__init__()
        self.verdict = verdict


@dataclass
class Sandbox:
    """A zygote that is started on first use, and again if it died or if this process is a fork."""

    warm: Sequence[str] = ()
    """What the zygote loads for its children: `module`, or `module:function=path`, which is called."""

    _more: Sequence[str] = ()

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _owner: int = 0
    _zygote: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None

    def prepare(self, *more: str) -> None:
        """Start the zygote before the first file comes, without waiting until it is ready.

        `more` is loaded besides what is `warm`, in the same form.

        Raises:
            SandboxUnavailable: the zygote could not be started.
        """
        with self._lock:
            self._more = more
            self._live_control()

    def run(self, task: Task, start: Callable[[], Collector]) -> tuple[Collector, float]:
        """Run a task in a process of its own; may be called from several threads at once.

        `start` makes the collector of the answer's pieces, again if the process is started again.
        Returns the collector and the processor seconds of the process.

        Raises:
            Rejected: as the task's function; and `extraction_crashed`, `too_slow`, `too_much_memory`,
                `too_many_characters`.
            SetupError: as the task's function.
            SandboxUnavailable: no process could be started, which says nothing about the file.
        """
        verdict: HeadraceError = SandboxUnavailable()
        for _ in range(_ATTEMPTS):
            try:
                collector = start()
                return collector, self._attempt(task, collector.take)
            except _Killed as killed:
                verdict = killed.verdict
        raise verdict

    def stop(self) -> None:
        """End the zygote and every child."""
        with self._lock:
            if self._control and self._zygote:
                self._control.close()
                self._zygote.wait()
            self._control = self._zygote = None

    def _attempt(self, task: Task, take: Callable[[bytes], None]) -> float:
        channel, status = self._start_child()
        with channel, status:
            deadline = time.monotonic() + task.seconds
            reader = AnswerReader(take)
            try:
                channel.settimeout(task.seconds)
                channel.sendall(pack_task(task))
                channel.shutdown(socket.SHUT_WR)
                left = _BYTES_A_CHARACTER * task.characters + _OVERHEAD
                for chunk in _chunks(channel, deadline):
                    left -= len(chunk)
                    if left < 0:
                        raise too_many("characters", "more text than may be passed on", task.characters)
                    reader.feed(chunk)
                ending = _ending(b"".join(_chunks(status, deadline)))
            except ValueError:
                raise misshapen() from None
            except TimeoutError:
                raise too_slow(task.seconds) from None
            except OSError as error:  # the child's or the zygote's end is closed
                raise _Killed(SandboxUnavailable()) from error
        if ending.code == NO_FILE:
            raise SandboxUnavailable(f"a child process cannot read {task.path}")
        if ending.code in _KILLED:
            raise _Killed(crashed())
        _check_ending(ending, task)
        _check_answer(reader)
        return ending.cpu

    def _start_child(self) -> tuple[socket.socket, socket.socket]:
        """Fork a child; return the sockets for its task and answer, and for the zygote's reports on it."""
        channel, child_end = socket.socketpair()
        status, zygote_end = socket.socketpair()
        control = None
        try:
            with child_end, zygote_end, self._lock:
                control = self._live_control()
                socket.send_fds(control, [b"\0"], [child_end.fileno(), zygote_end.fileno()])
            status.settimeout(_START_SECONDS)
            report = status.recv(1)
        except OSError:  # also for want of time
            report = b""
        if report == STARTED:
            return channel, status
        channel.close()
        status.close()
        if report == NOT_STARTED:
            raise SandboxUnavailable
        self._give_up(control)
        raise _Killed(SandboxUnavailable())

    def _live_control(self) -> socket.socket:
        """The control socket of a zygote that seems alive; called under the lock."""
        if self._owner != os.getpid():  # a fork: the zygote is our parent's
            self._control = self._zygote = None
        if self._control and self._zygote and self._zygote.poll() is None:
            return self._control
        self._owner = os.getpid()
        self._control, zygote_end = socket.socketpair()
        with zygote_end:
            try:
                self._zygote = _popen(zygote_end.fileno(), [*self.warm, *self._more])
            except OSError as error:
                raise SandboxUnavailable from error
        return self._control

    def _give_up(self, control: socket.socket | None) -> None:
        """Kill a zygote that does not answer, unless another thread has already replaced it."""
        with self._lock:
            if self._zygote and self._control is control:
                self._zygote.kill()
                self._zygote.wait()


def _popen(control: int, warm: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a zygote; it shares our standard error, in case it cannot start."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = Path(__file__).parents[3]
    environment |= {"TOKENIZERS_PARALLELISM": "false", THREADS: "1"}  # a fork would lack its threads
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, sys.path)])
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-P", "-c", _START, str(control), *warm],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(control,),
        start_new_session=True,  # an interrupt at the terminal is for the caller, who then ends the zygote
    )


def _chunks(source: socket.socket, deadline: float) -> Iterator[bytes]:
    """Yield what arrives until the other end closes; raises TimeoutError at the (monotonic) deadline."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        source.settimeout(left)
        chunk = source.recv(_CHUNK)
        if not chunk:
            return
        yield chunk


def _check_ending(ending: Ending, task: Task) -> None:
    """Raise Rejected if the child did not end by itself with an answer."""
    if ending.code == -signal.SIGXCPU:
        raise too_slow(task.seconds)
    if ending.code == OUT_OF_MEMORY or (ending.code and ending.peak > _NEARLY_ALL * task.memory):
        raise too_much_memory(task.memory)
    if ending.code:
        _log(signal.Signals(-ending.code).name if ending.code < 0 else f"exit status {ending.code}")
        raise crashed()


def _check_answer(reader: AnswerReader) -> None:
    """Raise the child's Rejected or SetupError, or Rejected if its answer has a wrong shape."""
    try:
        answer = reader.close()
    except ValueError:
        raise misshapen() from None
    if answer.refusal:
        raise Rejected(answer.refusal.code, answer.refusal.message, answer.refusal.hint)
    if answer.setup:
        raise SetupError(answer.setup)
    if answer.failure:
        _log(answer.failure)
        raise crashed()


def _ending(report: bytes) -> Ending:
    try:
        return unpack_ending(report)
    except ValueError as error:  # the zygote ended before the child
        raise _Killed(SandboxUnavailable()) from error
