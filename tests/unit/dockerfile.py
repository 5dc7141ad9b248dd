"""As much of a Dockerfile and of a .dockerignore as ours use, read for tests."""

from __future__ import annotations

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    name: str
    value: str


def read(path: Path, **arguments: str) -> list[Instruction]:
    """The instructions, lines joined, comments left out, and `${NAME}` of build arguments filled in."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, value = line.partition(" ")
        if name == "ARG":
            default = value.partition("=")
            arguments.setdefault(default[0], default[2].strip('"'))
        found.append(Instruction(name, re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], value)))
    return found


def visible(root: Path, source: str, patterns: Path) -> list[Path]:
    """The files of `source` that the build may see, below `root`: the last pattern that fits decides."""
    rules = [line for line in patterns.read_text().splitlines() if line and not line.startswith("#")]
    start = root / source
    files = [start] if start.is_file() else sorted(path for path in start.rglob("*") if path.is_file())
    return [path.relative_to(root) for path in files if not _ignored(path.relative_to(root), rules)]


def _ignored(path: Path, rules: list[str]) -> bool:
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(_fits(part, pattern) for part in (path, *path.parents[:-1])):
            ignored = not rule.startswith("!")
    return ignored


def _fits(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern[3:]) for part in path.parts)
    return len(path.parts) == len(Path(pattern).parts) and fnmatch(str(path), pattern)


def stage(root: Path, instructions: list[Instruction], patterns: Path, out: Path) -> None:
    """Do what `COPY` does from the build's context, below `out`."""
    for instruction in instructions:
        if instruction.name != "COPY" or instruction.value.startswith("--from"):
            continue
        source, target = instruction.value.split()
        for path in visible(root, source, patterns):
            place = out / target.lstrip("/") / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, place)
