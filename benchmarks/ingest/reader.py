"""One reader in a process of its own: `python -m benchmarks.ingest.reader KIND NAME`.

Says first what it takes to be ready; then takes a path a line and answers with a line of JSON: what it read,
the processor seconds that took, and the most memory that the process ever had, in bytes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ingest.readers import Reading

if TYPE_CHECKING:
    from benchmarks.ingest.readers import Load


def peak() -> int:
    """Bytes. What `getrusage` tells of a new process may be the memory of the one that started it."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(kind: str, name: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print too
    load: Load = import_module(f"benchmarks.ingest.readers.{kind}").READERS[name]
    bare, started = peak(), time.process_time()
    read = load()
    print(json.dumps({"bare": bare, "loading": time.process_time() - started}), file=answers, flush=True)
    for line in sys.stdin:
        started, error, reading = time.process_time(), "", Reading()
        try:
            reading = read(line.rstrip("\n"))
        except Exception as raised:  # noqa: BLE001 - whatever a library raises is an answer, not an end
            error = str(getattr(raised, "code", type(raised).__name__))
        seconds = time.process_time() - started
        answer = {**asdict(reading), "seconds": seconds, "peak": peak(), "error": error}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
