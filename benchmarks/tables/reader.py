"""A reader in a process of its own: `python -m benchmarks.tables.reader NAME`.

Takes a line of JSON with a path and page numbers; answers with one: what it read, or the error that it
raised, the processor seconds that took, and the most memory that the process ever had, in bytes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.tables.readers import READERS


def main(name: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print too
    read = READERS[name]()
    for line in sys.stdin:
        asked = json.loads(line)
        started, error, count, pages = time.process_time(), "", 0, {}
        try:
            count, meanings = read(Path(asked["path"]), asked["pages"])
            seconds, peak = time.process_time() - started, _peak()
            pages = meanings()
        except Exception as raised:  # noqa: BLE001 - whatever a library raises is an answer, not an end
            error = f"{type(raised).__name__}: {raised}"
            seconds, peak = time.process_time() - started, _peak()
        answer = {"pages": pages, "error": error, "seconds": seconds, "peak": peak, "read": count}
        print(json.dumps(answer), file=answers, flush=True)


def _peak() -> int:
    """Bytes. What `getrusage` says of a new process may be the memory of the one that started it."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
