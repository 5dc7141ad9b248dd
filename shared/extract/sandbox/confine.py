"""Confine a process: limits of time and memory, no network, no programs, no writing.

Python's audit hooks do not see what a C library does; the Linux kernel does. None of its means needs
privileges. They are skipped if the kernel lacks them (other systems, old kernels, some container runtimes);
the two that vary most return whether they are in force. The numbers belong to the kernel's stable interface:
capset(2), seccomp(2), landlock(7).
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import struct
import sys
from contextlib import suppress
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# Instructions of classic BPF: load a word, compare, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000  # the latter with an errno in its low bits
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # system calls of another kind on x86-64, from here on

# The same on every architecture; io_uring would offer all of it by another way.
_COMMON = {"pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438}
_CLONE3 = 435
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41, "connect": 42, "bind": 49, "listen": 50, "socketpair": 53, "fork": 57, "vfork": 58,
            "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
            "unshare": 272, "setns": 308, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "bpf": 321,
        },
        {"clone": 56, "kill": 62, "tkill": 200, "tgkill": 234},
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198, "connect": 203, "bind": 200, "listen": 201, "socketpair": 199, "execve": 221,
            "execveat": 281, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "unshare": 97,
            "setns": 268, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "bpf": 280,
        },
        {"clone": 220, "kill": 129, "tkill": 130, "tgkill": 131},
    ),
}  # fmt: skip

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_ALL_BUT_READING = 0x1FFF & ~0b1100  # every right of the first version, without reading files and directories


def die_with_parent(parent: int, signal: int) -> None:
    """Send this process `signal` when the thread that forked it ends; at once if `parent` has ended."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal)


def drop_capabilities() -> None:
    """Give up root's capabilities: processes of a container often are root and could read each other."""
    if sys.platform == "linux":
        version, this_thread = 0x20080522, 0
        _libc.capset(struct.pack("Ii", version, this_thread), bytes(2 * 3 * 4))


def forbid_network_and_processes() -> bool:
    """Refuse sockets, new processes and programs, and signals to others, with EPERM."""
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return False
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _filter(platform.machine()))
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return _no_new_privileges() and _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0


def forbid_writing() -> bool:
    """Refuse to write, create, remove or run files, and to access other processes' memory."""
    if sys.platform != "linux":
        return False
    wanted = struct.pack("Q", _ALL_BUT_READING)
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), 0)
    if ruleset < 0:
        return False
    try:
        return _no_new_privileges() and _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _no_new_privileges() -> bool:
    """Give up gaining privileges: an unprivileged process may not confine itself otherwise."""
    return bool(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _filter(machine: str) -> list[tuple[int, int, int, int]]:
    """Instructions as code, number to skip if true, number to skip if false, operand."""
    architecture, refused, judged = _CALLS[machine]
    refuse = (_RETURN, 0, 0, _REFUSE | _EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        refuse,
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refuse,
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),  # its flags cannot be seen from here; libraries then use clone
    ]
    for number in (refused | _COMMON).values():
        program += [(_EQUAL, 0, 1, number), refuse]
    for name, number in judged.items():
        verdict = (_ANY_BIT, 1, 0, _CLONE_THREAD) if name == "clone" else (_EQUAL, 1, 0, os.getpid())
        program += [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, _FIRST_ARGUMENT), verdict, refuse, allow]
    return [*program, allow]


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
    """Limit this process to `seconds` of CPU and `memory` bytes; no network, programs, writing or core dumps.

    The caller limits the wall-clock time as well.
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
    """Close every inherited file but `keep`; standard input and output lead nowhere."""
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
