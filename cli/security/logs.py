"""Does a log hold a sentence of a document? A sample of stored passages is looked for in the stack's logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOGGED, LOCAL_FILES = "logged text", "local files"
MIN_CHARACTERS, MAX_CHARACTERS = 20, 80
"""Of a sample: shorter ones may stand in a log by chance, longer ones may have been cut."""
MAX_LOG_BYTES = 64 * 1024 * 1024
"""Read of each log, its end."""
READABLE_BY_OTHERS = 0o077


def samples(texts: Iterable[str]) -> set[str]:
    """The beginnings of texts as they would stand in a line of JSON."""
    written = (json.dumps(text, ensure_ascii=False)[1:-1][:MAX_CHARACTERS] for text in texts)
    return {text for text in written if len(text) >= MIN_CHARACTERS}


def judge_logs(folder: Path, texts: Iterable[str]) -> Iterator[Finding]:
    """Look for the texts in every log of a folder; none of them is printed."""
    wanted = samples(texts)
    if not wanted:
        yield Finding(LOGGED, "unknown", "no stored passage is long enough to look for")
        return
    logs = sorted(folder.glob("*.log"))
    holding = {path: sum(text in held for text in wanted) for path in logs for held in [_end(path)]}
    for path, found in holding.items():
        if found:
            detail = f"{path} holds the text of {found} of {len(wanted)} passages looked for."
            yield Finding(LOGGED, "wrong", detail, f"Delete {path}, and find out what logs text.")
    if not any(holding.values()):
        yield Finding(LOGGED, "ok", f"none of {len(wanted)} stored passages stands in {len(logs)} logs")


def judge_folder(folder: Path) -> Finding:
    """Whether others of this machine may read what the local stack keeps."""
    if folder.stat().st_mode & READABLE_BY_OTHERS:
        detail = f"Other users of this machine may read {folder}: files, results, keys and logs."
        return Finding(LOCAL_FILES, "warning", detail, f"chmod 700 {folder}")
    return Finding(LOCAL_FILES, "ok", f"{folder}: yours alone")


def _end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
        return file.read().decode(errors="replace")
