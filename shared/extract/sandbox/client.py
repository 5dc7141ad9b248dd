"""Run a task in a child process that has limits, and judge how it ended."""

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
    from collections.abc import Callable, Iterator

    from shared.extract.sandbox.wire import Ending, Task


_BYTES_A_CHARACTER = 4
"""At most, in UTF-8; and what the pieces hold besides their text is allowed for by a fixed amount."""
_OVERHEAD = 64 << 20
_NEARLY_ALL = 0.75
"""Of the memory: a library that crashed with so much in use crashed for want of more."""


def most_answer_bytes(characters: int) -> int:
    """What an honest answer with so many characters of text cannot exceed."""
    return _BYTES_A_CHARACTER * characters + _OVERHEAD


def refuse_bad_ending(ending: Ending, task: Task) -> None:
    """Raises Rejected for a child that did not end by itself with an answer."""
    if ending.code == -signal.SIGXCPU:
        raise too_slow(task.seconds)
    if ending.code == OUT_OF_MEMORY or (ending.code and ending.peak > _NEARLY_ALL * task.memory):
        raise too_much_memory(task.memory)
    if ending.code:
        how = signal.Signals(-ending.code).name if ending.code < 0 else f"exit status {ending.code}"
        _log(how)
        raise crashed()


def refuse_bad_answer(reader: AnswerReader) -> None:
    """Raises Rejected or SetupError with what the child says, or Rejected where it talks nonsense."""
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


def misshapen() -> Rejected:
    """The child sent what no child of ours sends."""
    _log("an answer of another shape")
    return crashed()


def crashed() -> Rejected:
    """The reader, or a library under it, could not stand the file."""
    return Rejected(
        "extraction_crashed",
        "The program that reads this type of file broke down on it; the file may be damaged.",
        "Open it in the program it was made with, save it as a new file and upload that.",
    )


def too_slow(seconds: float) -> Rejected:
    """The file takes too long."""
    return Rejected(
        "too_slow",
        f"Reading the file took longer than the {seconds:,.0f} seconds it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def too_much_memory(memory: int) -> Rejected:
    """The file takes too much memory."""
    return Rejected(
        "too_much_memory",
        f"Reading the file took more than the {memory / (1 << 20):,.0f} MiB of memory it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def _log(how: str) -> None:
    """For whoever looks after the readers; `how` comes from an untrusted process, so it is kept short."""
    import structlog

    structlog.get_logger().warning("extraction crashed", how=how[:300])


class Takes(Protocol):
    """Collects the pieces of an answer."""

    def take(self, piece: bytes) -> None:
        """A piece as JSON; raises ValueError for one that no honest child sends."""


Collector = TypeVar("Collector", bound=Takes)

_START = "import sys; from shared.extract.sandbox.zygote import main; main(int(sys.argv[1]), *sys.argv[2:])"
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


def run_apart(task: Task, start: Callable[[], Collector]) -> tuple[Collector, float]:
    """Have `task` done in a process of its own.

    May be called from several threads at once.

    Args:
        task: what to do, and within which limits.
        start: makes what takes the pieces; called again where the process is started again.

    Returns:
        What took the pieces, and the processor seconds of the process.

    Raises:
        Rejected: as the task's function; and `extraction_crashed`, `too_slow`, `too_much_memory`,
            `too_many_characters`.
        SetupError: as the task's function.
        SandboxUnavailable: no process could be started; that says nothing of the file.
    """
    return _sandbox.run(task, start)


def prepare(tokenizer: Path) -> None:
    """Start the zygote before the first file comes; does not wait until it is ready.

    Args:
        tokenizer: the `tokenizer.json` that it loads for its children; another one they load themselves.

    Raises:
        SandboxUnavailable: it could not be started.
    """
    _sandbox.prepare(tokenizer)


@dataclass
class Sandbox:
    """One zygote, started on first use, and again when it has died or this process is a fork."""

    _tokenizer: Path | None = None

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _owner: int = 0
    _zygote: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None

    def prepare(self, tokenizer: Path) -> None:
        """See the function."""
        with self._lock:
            self._tokenizer = tokenizer
            self._live_control()

    def run(self, task: Task, start: Callable[[], Collector]) -> tuple[Collector, float]:
        """See `run_apart`."""
        verdict: HeadraceError = SandboxUnavailable()
        for _ in range(_ATTEMPTS):
            try:
                collector = start()
                return collector, self._attempt(task, collector.take)
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

    def _attempt(self, task: Task, take: Callable[[bytes], None]) -> float:
        channel, status = self._start_child()
        with channel, status:
            deadline = time.monotonic() + task.seconds
            reader = AnswerReader(take)
            try:
                channel.settimeout(task.seconds)
                channel.sendall(pack_task(task))
                channel.shutdown(socket.SHUT_WR)
                left = most_answer_bytes(task.characters)
                for chunk in _chunks(channel, deadline):
                    left -= len(chunk)
                    if left < 0:
                        raise too_many("characters", "more text than may be passed on", task.characters)
                    _feed(reader, chunk)
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
        refuse_bad_answer(reader)
        return ending.cpu

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
                self._zygote = _popen(zygote_end.fileno(), self._tokenizer)
            except OSError as error:
                raise SandboxUnavailable from error
        return self._control

    def _give_up(self, control: socket.socket | None) -> None:
        """Of a zygote that does not answer; unless another thread has replaced it already."""
        with self._lock:
            if self._zygote and self._control is control:
                self._zygote.kill()
                self._zygote.wait()


def _popen(control: int, tokenizer: Path | None) -> subprocess.Popen[bytes]:
    """Start a zygote; its standard error is ours, for the case that it cannot start."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = Path(__file__).parents[3]
    environment |= {"TOKENIZERS_PARALLELISM": "false", THREADS: "1"}  # a fork would lack its threads
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, sys.path)])
    warm = [str(tokenizer.resolve())] if tokenizer else []
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-P", "-c", _START, str(control), *warm],
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


def _feed(reader: AnswerReader, chunk: bytes) -> None:
    try:
        reader.feed(chunk)
    except ValueError:
        raise misshapen() from None


def _ending(report: bytes) -> Ending:
    try:
        return unpack_ending(report)
    except ValueError as error:  # the zygote ended before the child
        raise _Killed(SandboxUnavailable()) from error


_sandbox = Sandbox()
