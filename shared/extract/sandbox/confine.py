"""A child confines itself before it looks at a file: limits, and nothing left that reaches beyond it."""

from __future__ import annotations

import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from shared.extract.sandbox.kernel import drop_capabilities, forbid_network_and_processes, forbid_writing

_FILES = 64  # open at once; an extraction needs the upload, and libraries while they are loaded
_FORBIDDEN = (
    "socket.",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
    "syslog.",
)
"""Beginnings of the names of Python's audit events."""


def confine(seconds: float, memory: int) -> None:
    """Keep to `seconds` of CPU and `memory` bytes of address space; no network, programs, writing or core.

    What the system does not have is left out; the caller's own limit on time stands beside the one on CPU.
    """
    with suppress(OSError):  # where the whole container runs out of memory, the kernel is to end this process
        Path("/proc/self/oom_score_adj").write_text("1000")
    cpu = math.ceil(seconds)
    _limit(resource.RLIMIT_CPU, cpu, cpu + 1)
    _limit(resource.RLIMIT_AS, memory, memory)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, 0, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES, _FILES)
    _limit(resource.RLIMIT_NPROC, 0, 0)
    drop_capabilities()
    forbid_writing()
    forbid_network_and_processes()
    sys.addaudithook(_audit)


def close_but(keep: int) -> None:
    """Close every file that was inherited but `keep`, and from here on say nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    inherited = [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    for file in set(inherited) - {0, 1, 2, keep}:
        with suppress(OSError):  # reading the folder took one, which is closed again
            os.close(file)


def _limit(which: int, soft: int, hard: int) -> None:
    inherited = resource.getrlimit(which)[1]
    if inherited != resource.RLIM_INFINITY:
        soft, hard = min(soft, inherited), min(hard, inherited)
    try:
        resource.setrlimit(which, (soft, hard))
    except (ValueError, OSError):  # macOS does not limit address space
        return


def _audit(event: str, _: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"an extraction may not do this: {event}")
