"""Becomes a task: `python launch.py PARENT COMMAND [ARGUMENT …]`.

A step of its own, because the server has gRPC's threads, and a child of such a process must run nothing of
Python between fork and exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127
"""The status with which a shell says that there is no such command."""


def main(parent: int, command: list[str]) -> None:
    """Run the command in this process, which ends when the server does, even if that is killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this process could ask to be told
            return
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is what the job's owner asked for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
