"""The long job: what its image is built from, and the digest that tells whether that has changed."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from deploy.stage import DIGEST_LENGTH

if TYPE_CHECKING:
    from pathlib import Path, PurePath

IGNORE = "long_job/Dockerfile.dockerignore"
BUILT_BY = "long_job/Dockerfile*"
"""Never in the image, and yet what it is made by."""


def job_digest(root: Path, *, gpu: bool) -> str:
    """Of all that the job's image is built from."""
    whole = hashlib.sha256()
    for path in sorted([*in_image(root, gpu=gpu), *root.glob(BUILT_BY)]):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"\0{path.relative_to(root).as_posix()}\0{content}".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]


def in_image(root: Path, *, gpu: bool) -> list[Path]:
    """Every file that the Dockerfile copies, but for those whose names begin with a dot."""
    variant = "-gpu" if gpu else ""
    sources = ("long_job", "shared", "model_export", "training", "build/weights", f"build/model{variant}")
    files = [path for source in sources for path in (root / source).rglob("*") if path.is_file()]
    files.append(root / "requirements" / f"long_job{variant}.txt")
    rules = [line for line in (root / IGNORE).read_text().splitlines() if line and not line.startswith("#")]
    seen = [path for path in files if not path.name.startswith(".")]
    return [path for path in seen if not _ignored(path.relative_to(root), rules)]


def _ignored(path: PurePath, rules: list[str]) -> bool:
    # As BuildKit has it: the last rule that fits the path, or a folder above it, decides.
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(_fits(part, pattern) for part in (path, *path.parents[:-1])):
            ignored = not rule.startswith("!")
    return ignored


def _fits(path: PurePath, pattern: str) -> bool:
    # A star stands for a part of one name; two of them, at the beginning, for any folders.
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern[3:])
    names, patterns = path.parts, pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatch, names, patterns))
