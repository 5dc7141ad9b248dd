"""Replace a directory as a whole, and digest several strings as one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def replace_directory(out: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Make `out` hold exactly `files`; a reader sees the old directory or the new one, never half of one.

    The body may inspect the new directory, whose place is given, before it becomes `out`. If the body raises,
    nothing changes.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh.chmod(0o755)
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        yield fresh
        if out.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
            os.replace(out, retired / out.name)  # noqa: PTH105 - a directory onto a new name
            fresh.rename(out)
            shutil.rmtree(retired)
        else:
            fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def digest_of(*parts: str) -> str:
    """SHA-256 of several strings, none of which may run into the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()
