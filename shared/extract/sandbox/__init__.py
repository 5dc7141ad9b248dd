"""Extraction in a process of its own, with limits: what a file can break or exhaust is that process alone.

caller's thread            zygote (one per process)             child (one per file)
-----------------------    ---------------------------------    ------------------------------
extract_apart: task   ──▶  forks, watches, reaps; reads     ──▶ confines itself, then extracts
                           nothing that is not ours
     answer (JSON)    ◀─────────────────────────────────────────
     how it ended     ◀──
"""

from __future__ import annotations

from shared.extract.sandbox.client import SandboxUnavailable, extract_apart, prepare

__all__ = ["SandboxUnavailable", "extract_apart", "prepare"]
