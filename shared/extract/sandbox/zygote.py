"""The process that children are forked from: warm, single-threaded, and without access to any file.

It is a program of its own, because a fork of the caller would copy locks that other threads (gRPC's, the
server's) hold. It is started with the number of a socket. Every task arrives there as one byte with two
sockets: one for the child's task and answer, one for the zygote's reports on the child. When the caller
closes the second one, or ends, the child is killed.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from shared.extract.sandbox.confine import close_but, confine, die_with_parent
from shared.extract.sandbox.wire import (
    Answer,
    Ending,
    Refusal,
    pack,
    unpack_task,
)
from shared.platform.errors import Rejected, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.extract.sandbox.wire import Task

STARTED, NOT_STARTED = b"+", b"-"
OUT_OF_MEMORY, NO_FILE = 3, 4
"""Exit statuses of a child without an answer."""
_NO_PLACE = "failed to map segment"
"""What the loader says of a shared library for which there is no memory."""


def main(control: int, *warm: str) -> None:
    """Serve until the caller closes its end of the socket `control`.

    What is `warm`, as `Sandbox` has it, is loaded one by one while there is nothing else to do.
    """
    _Zygote(socket.socket(fileno=control), warm).serve()


class _Zygote:
    def __init__(self, control: socket.socket, warm: Sequence[str]) -> None:
        self._control = control
        self._cold: list[Callable[[], object]] = [partial(_load, name) for name in warm]
        self._children: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._woken, wake = socket.socketpair()
        self._woken.settimeout(0)
        wake.settimeout(0)
        self._wake = wake
        self._selector.register(self._woken, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        while True:
            ready = self._selector.select(0 if self._cold else None)
            if self._cold and not ready:
                self._cold.pop(0)()
                gc.freeze()  # or the first collection of every child would copy all there is
            for key, _ in ready:
                if key.fileobj is self._control:
                    _, files, _, _ = socket.recv_fds(self._control, 1, 2)
                    if not files:  # the caller ended
                        self._kill(*self._children)
                        return
                    self._start(*(socket.socket(fileno=file) for file in files))
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._reap()
                else:  # the caller stopped waiting
                    self._kill(key.data)

    def _start(self, channel: socket.socket, status: socket.socket) -> None:
        with channel:
            zygote = os.getpid()
            try:
                pid = os.fork()
            except OSError:
                with status, suppress(OSError):
                    status.send(NOT_STARTED)
                return
            if pid == 0:
                _child(channel, zygote)
        self._children[pid] = status
        self._selector.register(status, selectors.EVENT_READ, pid)
        with suppress(OSError):
            status.send(STARTED)

    def _reap(self) -> None:
        for pid in list(self._children):
            done, code, usage = os.wait4(pid, os.WNOHANG)
            if not done:
                continue
            status = self._children.pop(pid)
            self._ignore(status)
            unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
            cpu = usage.ru_utime + usage.ru_stime
            ending = Ending(os.waitstatus_to_exitcode(code), usage.ru_maxrss * unit, cpu)
            with status, suppress(OSError):
                status.send(pack(ending))

    def _kill(self, *pids: int) -> None:
        for pid in pids:
            if pid in self._children:  # not reaped yet, so the number is still this child's
                os.kill(pid, signal.SIGKILL)
                self._ignore(self._children[pid])

    def _ignore(self, status: socket.socket) -> None:
        with suppress(KeyError):  # of a child that was killed
            self._selector.unregister(status)


def _child(channel: socket.socket, zygote: int) -> NoReturn:
    """Read the task, do it, send the answer, and exit without the zygote's clean-up."""
    status = 1
    try:
        die_with_parent(zygote, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        file = channel.detach()
        close_but(file)
        status = _work(file)
    finally:
        os._exit(status)


def _work(file: int) -> int:
    with os.fdopen(os.dup(file), "rb") as stream:
        task = unpack_task(stream.read())
    if not os.access(task.path, os.R_OK):
        return NO_FILE
    confine(task.seconds, task.memory)
    try:
        for line in _do(task):
            view = memoryview(line)
            while view:
                view = view[os.write(file, view) :]
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _do(task: Task) -> Iterator[bytes]:
    module, _, name = task.function.partition(":")
    answer = Answer()
    try:
        for piece in getattr(importlib.import_module(module), name)(Path(task.path), **task.arguments):
            yield pack(piece) + b"\n"
    except Rejected as rejected:
        answer = Answer(refusal=Refusal(rejected.code, rejected.message, rejected.hint))
    except SetupError as error:
        answer = Answer(setup=error.message)
    except MemoryError:
        raise
    except BaseException as error:  # an error of a reader concerns this file alone
        if isinstance(error, ImportError) and _NO_PLACE in str(error):
            raise MemoryError from error
        answer = Answer(failure=f"{type(error).__name__} at {_place(error)}")
    yield pack(answer)


def _load(name: str) -> None:
    """Import a module; call `module:function=path`."""
    module, _, call = name.partition(":")
    function, _, path = call.partition("=")
    loaded = importlib.import_module(module)
    if function:
        with suppress(SetupError):  # the children will raise it
            getattr(loaded, function)(Path(path))


def _place(error: BaseException) -> str:
    """The file and line of an exception; its message might quote the document."""
    trace, place = error.__traceback__, "?"
    while trace:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
