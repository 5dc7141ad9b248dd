"""Work on a file in a process with limits: what a file can break or exhaust is that process alone.

caller's thread            zygote (one per process)             child (one per file)
-----------------------    ---------------------------------    ------------------------------
Sandbox.run: task  ──▶  forks, watches, reaps; reads     ──▶ confines itself, then does the task
                           nothing that is not ours
     pieces (JSON)    ◀─────────────────────────────────────────
     how it ended     ◀──
"""

from __future__ import annotations

from shared.extract.sandbox.client import SandboxUnavailable
from shared.extract.sandbox.wire import Task

__all__ = ["SandboxUnavailable", "Task"]
