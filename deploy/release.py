"""Make a release: the version, the changelog's date, one commit, one tag.

Nothing is pushed, and nothing is changed unless the tree is clean and the tests pass.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.stage import version
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    import datetime as dt

CHANGELOG, PROJECT = Path("CHANGELOG.md"), Path("pyproject.toml")
UNRELEASED = "## [Unreleased]"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_FIELD = re.compile(r'^version = "[^"]+"$', re.MULTILINE)


def check(wanted: str, current: str, changelog: str) -> None:
    """Check that this version can follow.

    Raises:
        SetupError: it cannot; the message says why.
    """
    if not _VERSION.fullmatch(wanted):
        raise SetupError(f"{wanted} is not a version: three numbers, as 1.4.0 (https://semver.org).")
    if _numbers(wanted) < _numbers(current):
        raise SetupError(f"{wanted} is older than {current}.")
    if f"## [{wanted}]" in changelog:
        raise SetupError(f"{wanted} is in {CHANGELOG} already.")
    if not _unreleased(changelog).strip():
        raise SetupError(f"{CHANGELOG} has nothing under {UNRELEASED}: say what changed.")


def dated(changelog: str, wanted: str, day: dt.date) -> str:
    """Return the changelog, with what is unreleased under the version's own heading."""
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n\n## [{wanted}] - {day.isoformat()}", 1)


def _unreleased(changelog: str) -> str:
    return changelog.partition(UNRELEASED)[2].partition("\n## ")[0]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def release(wanted: str, tests: list[str], day: dt.date) -> None:
    """Make the release, in the repository of the working directory.

    Raises:
        SetupError: something is in the way.
    """
    changelog = CHANGELOG.read_text()
    check(wanted, version(Path()), changelog)
    if _git("status", "--porcelain"):
        raise SetupError("The tree is not clean: commit or remove what git status shows.")
    if _git("tag", "--list", f"v{wanted}"):
        raise SetupError(f"There is a tag v{wanted} already.")
    if subprocess.run(tests, check=False).returncode:
        raise SetupError(f"Tests fail ({' '.join(tests)}); nothing was changed.")
    _commit(wanted, {CHANGELOG: dated(changelog, wanted, day), PROJECT: _versioned(wanted)})
    tag = ("tag", "--annotate", f"v{wanted}", "--message", f"Headrace {wanted}")
    try:
        _git(*tag)
    except SetupError as error:
        command = shlex.join(("git", *tag))
        raise SetupError(f"{error.message}\nThe commit is made, the tag is missing: {command}") from None
    print(f"v{wanted} is made. To publish it: git push --follow-tags")


def _versioned(wanted: str) -> str:
    return _FIELD.sub(f'version = "{wanted}"', PROJECT.read_text(), count=1)


def _commit(wanted: str, texts: dict[Path, str]) -> None:
    before = {path: path.read_text() for path in texts}
    try:
        for path, text in texts.items():
            path.write_text(text)
        _git("commit", "--quiet", "--message", f"Release {wanted}", "--", *map(str, texts))
    except SetupError:  # a hook, or no key to sign with: else the next call found the version there
        for path, text in before.items():
            path.write_text(text)
        raise


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
