"""`deploy/install` that is killed: the next run goes on, and all ends where an unbroken run ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud import resources
from tests.cloud.ground import Ground
from tests.cloud.state import fresh

if TYPE_CHECKING:
    from pathlib import Path

YES = ("--project=my-project", "--yes")
KILLED = -9
pytestmark = pytest.mark.timeout(600)  # Terraform works for seconds, and on a busy machine for minutes


def killed_after_each(ground: Ground, *arguments: str) -> int:
    """Run a command again and again, which is killed after each thing that it does; how often it was."""
    ground.change(kill={"after": []})
    kills = 0
    while (status := ground.install(*arguments, *YES)) == KILLED:
        kills += 1
    ground.change(kill=None)
    assert status == 0, ground.said[-3000:]
    return kills


def test_killed_after_each_command(installation: Ground, memo: str, tmp_path: Path) -> None:
    """Everything is made once, one build is enough, and no secret gets another value."""
    ground = Ground.fresh(tmp_path / "ground", fresh(), CLOUD_MEMO=memo)
    assert killed_after_each(ground) > 12
    assert ground.outcome == installation.outcome


def test_terraform_killed_in_its_middle(installation: Ground, memo: str, tmp_path: Path) -> None:
    """Its lock is opened, and what it made without noting it is taken over."""
    ground = Ground.fresh(tmp_path / "ground", fresh(), CLOUD_MEMO=memo)
    ground.change(kill={"applies": 100})
    assert ground.install(*YES) == KILLED
    assert " apply " in ground.commands[-1]
    ground.change(kill=None)
    assert ground.install(*YES) == 0, ground.said[-3000:]
    assert " force-unlock " in " ".join(ground.commands)
    now, unbroken = (one.outcome["resources"] for one in (ground, installation))
    # Of alerts and the like nobody can tell whose they are, so they may be there twice.
    for kind in unbroken.keys() - resources.NAMED_BY_GOOGLE:
        assert now[kind].keys() == unbroken[kind].keys(), kind


def test_destroy_killed_after_each_command(installation: Ground, tmp_path: Path) -> None:
    """Nothing is left, of full buckets neither; an installation then waits for the database's name."""
    ground = installation.copied(tmp_path / "ground")
    ground.change(written_to=["my-project-uploads"])
    ground.change(propagation=ground.cloud.state["propagation"] | {"database": 25})
    assert killed_after_each(ground, "destroy") > 3
    assert "Nothing is installed in my-project" in ground.said
    left = ground.outcome
    assert set(left["resources"]) <= {"google_project_service"}
    assert not left["objects"]
    assert ground.install(*YES) == 0, ground.said[-3000:]
    services = "google_cloud_run_v2_service"
    assert ground.outcome["resources"][services].keys() == installation.outcome["resources"][services].keys()
