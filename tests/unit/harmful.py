"""What a file might make a reader do, as functions that a sandbox calls in the place of a reader."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.extract.sandbox import confine
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIBC = ctypes.CDLL(None, use_errno=True)


def report(path: Path, **arguments: Any) -> Iterator[Any]:
    """What the child was given, and what it knows of the caller's environment."""
    yield [path.read_text(), arguments, sorted(os.environ)]


def pids(_: Path, **__: Any) -> Iterator[Any]:
    yield [os.getpid(), os.getppid()]


def open_files(_: Path, **__: Any) -> Iterator[Any]:
    links = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself, closed again
            links.append(str(file.readlink()))
    yield sorted(links)


def abort(_: Path, **__: Any) -> Iterator[Any]:
    os.abort()


def segfault(_: Path, **__: Any) -> Iterator[Any]:
    yield ctypes.string_at(0)


def killed(_: Path, **__: Any) -> Iterator[Any]:
    signal.raise_signal(signal.SIGKILL)
    yield "alive"


def exit_early(_: Path, **__: Any) -> Iterator[Any]:
    os._exit(0)


def hog(_: Path, **__: Any) -> Iterator[Any]:
    """Python's own memory error, small pieces at a time."""
    pieces = []
    while True:
        pieces.append(bytearray(1 << 20))


def hog_in_c(_: Path, **__: Any) -> Iterator[Any]:
    """As a C library does that does not expect to be refused."""
    LIBC.malloc.restype = ctypes.c_void_p
    while True:
        ctypes.memset(LIBC.malloc(ctypes.c_size_t(1 << 20)), 1, 1 << 20)


def spin(_: Path, **__: Any) -> Iterator[Any]:
    while True:
        pass


def sleep(_: Path, **__: Any) -> Iterator[Any]:
    time.sleep(600)
    yield "awake"


def nap(_: Path, **__: Any) -> Iterator[Any]:
    time.sleep(0.5)
    yield "awake"


def reject(_: Path, **__: Any) -> Iterator[Any]:
    raise Rejected("no_text", "There is nothing.", "Look again.")


def bug(path: Path, **_: Any) -> Iterator[Any]:
    raise KeyError(path.read_text())


def recurse(path: Path, **_: Any) -> Iterator[Any]:
    yield from recurse(path)


def huge(_: Path, **__: Any) -> Iterator[Any]:
    yield "x" * (66 << 20)


def nonsense(_: Path, **__: Any) -> Iterator[Any]:
    yield {"kind": "sculpture"}


def half_character(_: Path, **__: Any) -> Iterator[Any]:
    yield "half \ud83d a pair"


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def python_reach(_: Path, **__: Any) -> Iterator[Any]:
    """What Python itself refuses, whatever the system."""
    local = ("127.0.0.1", 9)
    yield (
        {
            "socket": outcome(lambda: socket.create_connection(local)),
            "resolve": outcome(lambda: socket.getaddrinfo("localhost", 80)),
            "http": outcome(lambda: urllib.request.urlopen("http://127.0.0.1:9/")),
            "fork": outcome(os.fork),
            "spawn": outcome(lambda: os.posix_spawn("/bin/true", ["true"], {})),
            "system": outcome(lambda: os.system("true")),
            "kill": outcome(lambda: os.kill(os.getppid(), 0)),
        }
    )


def errno_of(call: int) -> int:
    return ctypes.get_errno() if call < 0 else 0


def library_reach(_: Path, **__: Any) -> Iterator[Any]:
    """What the kernel refuses, also to C."""
    arguments = (ctypes.c_char_p * 2)(b"true", None)
    yield (
        {
            "socket": errno_of(LIBC.socket(socket.AF_INET, socket.SOCK_STREAM, 0)),
            "fork": errno_of(LIBC.fork()),
            "exec": errno_of(LIBC.execv(b"/bin/true", arguments)),
            "kill": errno_of(LIBC.kill(os.getppid(), signal.SIGKILL)),
        }
    )


def file_reach(path: Path, **_: Any) -> Iterator[Any]:
    """Files that are no business of an extraction."""
    yield (
        {
            "write": outcome(lambda: (path.parent / "made").write_text("x")),
            "overwrite": outcome(lambda: path.write_text("x")),
            "remove": outcome(path.unlink),
            "caller's environment": outcome(lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes()),
        }
    )


def kernel_can(_: Path, **__: Any) -> Iterator[Any]:
    """Which of the kernel's own means are there: what could be done once can be done again."""
    yield [confine.forbid_network_and_processes(), confine.forbid_writing()]
