"""`deploy/install` in a project where Headrace runs: upgrades, and what is asked before it is taken down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud.ground import Ground

pytestmark = pytest.mark.timeout(600)
"""Real Terraform makes three hundred things: a minute by itself, more beside other tests."""

YES = ("--project=my-project", "--yes")


def serving(ground: Ground) -> dict[str, str]:
    """Which revision each function serves."""
    return {
        one["name"]: one["serving"] for one in ground.cloud.resources("google_cloud_run_v2_service").values()
    }


def test_an_upgrade_serves_what_is_checked_out(installation: Ground, tmp_path: Path) -> None:
    """Another build, another revision of each function, and the same secrets."""
    ground = installation.copied(tmp_path / "ground")
    before, secrets = serving(ground), ground.cloud.state["secrets"]
    assert ground.install("upgrade", *YES) == 0, ground.said[-3000:]
    after = serving(ground)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    assert ground.cloud.state["secrets"] == secrets


def test_an_upgrade_whose_candidate_fails_leaves_what_served(installation: Ground, tmp_path: Path) -> None:
    """The exit status says so, and the message where to look; repeated after the repair, it passes."""
    ground = installation.copied(tmp_path / "ground")
    before = serving(ground)
    ground.change(build_fails="rollout")
    assert ground.install("upgrade", *YES) == 1
    assert "What served before it still serves" in ground.said
    assert "at its step rollout" in ground.said
    assert "console.cloud.google.com/cloud-build" in ground.said
    assert serving(ground) == before
    ground.change(build_fails=None)
    assert ground.install("upgrade", *YES) == 0, ground.said[-3000:]


@pytest.mark.parametrize("answer", ["yes\n", "my-projec\n", "\n", ""])
def test_destroy_asks_for_the_project_by_its_name(answer: str, installation: Ground, tmp_path: Path) -> None:
    """Anything but the project's id leaves all as it is."""
    ground = installation.copied(tmp_path / "ground")
    before = ground.outcome
    assert ground.install("destroy", "--project=my-project", answers=answer) == 1
    assert "1 (0.0 MB) files dropped: gs://my-project-uploads" in ground.said
    assert ground.outcome == before
