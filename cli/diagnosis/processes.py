"""Do the processes of the local stack answer?"""

from __future__ import annotations

import math
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.diagnosis.findings import CALL_SECONDS, Finding
from local.processes import READY_SECONDS, accepts, port_taken
from local.services import HOST, ON_DEMAND, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.diagnosis.findings import Target

QUIET_SECONDS = 10.0
"""A function that does not answer, and has logged nothing for so long, is not just busy."""


def check_processes(target: Target) -> Iterator[Finding]:
    """Whether every process answers; a function is asked for a path that it is never called with."""
    if target.stack is None:
        return
    processes = target.stack["processes"]
    silent = [process for process in processes if not _answers(process)]
    for process in silent:
        quiet = _silent_for(process)
        detail = f"{process['name']} (process {process['pid']}) does not answer within {CALL_SECONDS:.0f} s"
        restart = f"kill -9 {process['pid']} (the stack starts it again); its log is {process['log']}"
        if quiet < QUIET_SECONDS:
            yield Finding("processes", "warning", f"{detail}, but is at work.", f"If it stays so: {restart}")
        else:
            yield Finding("processes", "wrong", f"{detail}.", restart)
    if not silent:
        yield Finding("processes", "ok", ", ".join(process["name"] for process in processes))


def _silent_for(process: dict[str, Any]) -> float:
    """Seconds since the last line of its log, or its start; infinite: it was never started."""
    log = Path(process["log"])
    return time.time() - log.stat().st_mtime if log.exists() else math.inf


def _answers(process: dict[str, Any]) -> bool:
    if process["name"] in ON_DEMAND:
        # A connection would start it; where that has just been done, nobody listens until it has loaded.
        return port_taken(process["port"]) or _silent_for(process) < READY_SECONDS
    if process["name"] not in SIZES:
        return accepts(HOST, process["port"])
    try:
        # functions-framework answers this path itself, so no event is handled.
        with urllib.request.urlopen(f"http://{HOST}:{process['port']}/robots.txt", timeout=CALL_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, HTTPException, OSError):
        return False
