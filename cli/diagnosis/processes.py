"""Do the processes of the local stack answer, do deliveries to its functions end, and has the disk room?"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.diagnosis.findings import CALL_SECONDS, Finding
from local.processes import LOW_BYTES, READY_SECONDS, accepts, port_taken
from local.pubsub.names import OPEN_PUSHES
from local.services import HOST, ON_DEMAND, SIZES
from shared.platform.clients import insecure_channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.diagnosis.findings import Target

QUIET_SECONDS = 10.0
"""A function that does not answer, and has logged nothing for so long, is not just busy."""
DELIVERY_SECONDS = 60.0
"""A delivery that has been open for longer is named: most are answered within a few seconds."""

SCARCE_BYTES = 512 * 1024 * 1024
"""Free space below which the doctor warns; below `LOW_BYTES` something is wrong already."""
MEGABYTE = 1_000_000


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


def check_deliveries(target: Target) -> Iterator[Finding]:
    """Name each message that a function has been given long ago and not answered yet."""
    processes = {process["name"]: process for process in target.stack["processes"]} if target.stack else {}
    if "pubsub" not in processes:
        return
    long = [push for push in _open_pushes(processes["pubsub"]["port"]) if push["seconds"] > DELIVERY_SECONDS]
    for push in long:
        function, attributes = push["subscription"].rpartition("/")[2], push["attributes"]
        about = attributes.get("objectId") or attributes.get("document") or attributes.get("kind")
        detail = (
            f"{function} has not answered message {push['message_id']}"
            f"{f' ({about})' if about else ''} for {push['seconds']:.0f} s; others are delivered meanwhile."
        )
        pid = processes.get(function, {}).get("pid")
        fix = pid and f"If it hangs: kill -9 {pid} (the stack starts it again; the message comes again)"
        yield Finding("deliveries", "warning", detail, fix)
    if not long:
        yield Finding("deliveries", "ok", f"none has been open for longer than {DELIVERY_SECONDS:.0f} s")


def check_disk(target: Target) -> Iterator[Finding]:
    """Whether there is room where the stack keeps its data, and where functions put temporary files."""
    if target.stack is None:
        return
    places = {place.stat().st_dev: place for place in (Path(tempfile.gettempdir()), target.data)}
    for place in places.values():
        free = shutil.disk_usage(place).free
        detail = f"{free / MEGABYTE:,.0f} MB are free for {place}"
        if free < LOW_BYTES:
            wait = "Uploads and documents wait, nothing is lost"
            yield Finding("disk", "wrong", f"{detail}: the disk is full or nearly so.", f"{wait}: make room")
        elif free < SCARCE_BYTES:
            yield Finding("disk", "warning", f"{detail}.", "Make room before it is full")
        else:
            yield Finding("disk", "ok", detail)


def _open_pushes(port: int) -> list[dict[str, Any]]:
    from google.api_core.grpc_helpers import wrap_errors
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.struct_pb2 import ListValue

    with insecure_channel(f"{HOST}:{port}") as channel:
        call = wrap_errors(  # type: ignore[no-untyped-call]
            channel.unary_unary(OPEN_PUSHES, Empty.SerializeToString, ListValue.FromString)
        )
        pushes: list[dict[str, Any]] = MessageToDict(call(Empty(), timeout=CALL_SECONDS))
    return pushes


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
