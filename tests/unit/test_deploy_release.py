"""A release: nothing changes unless all is well, and then version, changelog, commit and tag agree."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy import release
from deploy.stage import ROOT, version
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-02\n\n- The first.\n"
)
DAY = dt.date(2026, 3, 4)


def git(*arguments: str) -> str:
    """In the working directory, which is the throw-away repository."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this project's pyproject.toml and a changelog; the working directory."""
    for name, value in (("AUTHOR", "Ada"), ("COMMITTER", "Ada")):
        monkeypatch.setenv(f"GIT_{name}_NAME", value)
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    text = (tmp_path / "pyproject.toml").read_text().replace(f'version = "{version()}"', 'version = "0.1.0"')
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_a_release_is_a_version_a_heading_a_commit_and_a_tag(repository: Path) -> None:
    """What was unreleased stands under the version; the tag is on the commit; nothing else has changed."""
    release.release("0.2.0", ["true"], DAY)
    assert version(repository) == "0.2.0"
    changelog = (repository / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-03-04\n\n### Added\n\n- A thing.\n\n## [0.1.0]" in changelog
    assert git("status", "--porcelain") == ""
    assert git("tag", "--points-at", "HEAD") == "v0.2.0\n"
    assert git("diff", "--name-only", "HEAD~1").split() == ["CHANGELOG.md", "pyproject.toml"]
    assert git("diff", "--unified=0", "HEAD~1", "--", "pyproject.toml").count("\n+version") == 1


@pytest.mark.parametrize(
    ("wanted", "tests", "prepare", "said"),
    [
        ("0.2", "true", "", "is not a version"),
        ("v0.2.0", "true", "", "is not a version"),
        ("0.0.9", "true", "", "older than 0.1.0"),
        ("0.1.0", "true", "", "already"),  # the changelog has it
        ("0.2.0", "false", "", "Tests fail"),
        ("0.2.0", "true", "touch left", "not clean"),
        ("0.2.0", "true", "git tag v0.2.0", "a tag v0.2.0"),
    ],
)
def test_what_is_in_the_way_is_said_and_nothing_changes(
    repository: Path, wanted: str, tests: str, prepare: str, said: str
) -> None:
    """No version, no heading, no commit."""
    subprocess.run(prepare or "true", shell=True, check=True)
    with pytest.raises(SetupError, match=said):
        release.release(wanted, [tests], DAY)
    assert version(repository) == "0.1.0"
    assert (repository / "CHANGELOG.md").read_text() == CHANGELOG
    assert git("rev-list", "--count", "HEAD") == "1\n"


def test_a_commit_that_fails_leaves_nothing(repository: Path) -> None:
    """Neither version nor heading; once the cause is gone, the same command makes the release."""
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(SetupError, match="git commit: no"):
        release.release("0.2.0", ["true"], DAY)
    assert git("status", "--porcelain") == ""
    hook.unlink()
    release.release("0.2.0", ["true"], DAY)
    assert git("tag", "--points-at", "HEAD") == "v0.2.0\n"


def test_a_tag_that_fails_is_made_by_the_command_that_is_said(repository: Path) -> None:
    """The commit is there, so that the whole cannot be done again."""
    git("config", "tag.gpgSign", "true")
    git("config", "gpg.program", "/bin/false")
    with pytest.raises(SetupError, match="The commit is made") as raised:
        release.release("0.2.0", ["true"], DAY)
    assert version(repository) == "0.2.0"
    git("config", "tag.gpgSign", "false")
    subprocess.run(raised.value.message.rpartition("missing: ")[2], shell=True, check=True)
    assert git("tag", "--points-at", "HEAD") == "v0.2.0\n"


def test_a_release_must_say_what_changed(repository: Path) -> None:
    """A version with nothing under it tells nobody anything."""
    release.release("0.2.0", ["true"], DAY)
    with pytest.raises(SetupError, match="nothing under"):
        release.release("0.3.0", ["true"], DAY)
    assert version(repository) == "0.2.0"


def test_this_projects_changelog_has_what_is_unreleased() -> None:
    """So that it can be released at all."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert release.UNRELEASED in text
    release.check("99.0.0", version(), text)
