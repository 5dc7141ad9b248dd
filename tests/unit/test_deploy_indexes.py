"""What a build waits for before anything asks Firestore."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from deploy import cloud, indexes
from deploy.__main__ import main
from tests import gcloud_standin
from tests.cloud_build import PROJECT, REPOSITORY, index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLACE = {"GOOGLE_CLOUD_PROJECT": PROJECT, "REGION": "europe-west1", "REPOSITORY": REPOSITORY}


@pytest.fixture
def firestore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give Firestore these indexes."""
    state = tmp_path / "cloud.json"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        said = gcloud_standin.answer([*arguments, f"--project={PROJECT}", "--quiet"])
        return subprocess.CompletedProcess([], 0, said, "")

    def give(*some: dict[str, Any]) -> None:
        state.write_text(json.dumps({"project": PROJECT, "indexes": some, "calls": []}))

    for variable, value in (PLACE | {"GCLOUD_STATE": str(state)}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(cloud, "_run", run)
    monkeypatch.setattr(indexes, "POLL_SECONDS", 0.0)
    return give


def test_a_build_waits_until_every_index_is_ready(
    firestore: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it must ask; it says how many are left, and only when that has changed."""
    firestore(
        index("documents", "state"), index("documents", "year", lists=2), index("passages", "run", lists=4)
    )
    assert main(["indexes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 of 3 indexes are being built",
        "1 of 3 indexes are being built",
        "3 indexes are ready",
    ]


def test_the_indexes_that_are_not_ready_in_time_are_named(
    firestore: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are ready are not."""
    monkeypatch.setattr(indexes, "SECONDS", 0.0)
    firestore(index("documents", "state", "year", lists=9), index("passages", "run"))
    assert main(["indexes"]) == 1
    said = capsys.readouterr().err
    assert "After 0 s Firestore still builds documents (state, year). It goes on" in said


def test_an_index_that_firestore_could_not_build_is_not_waited_for(
    firestore: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It never becomes ready: the build stops, with the command that takes it away."""
    firestore(index("documents", "state", lists=9), index("passages", "run", "index", broken=True))
    assert main(["indexes"]) == 1
    said = capsys.readouterr().err
    assert "could not build passages (run, index). Delete it (gcloud firestore" in said
    assert "composite delete passages-run-index)" in said


def test_a_database_without_indexes_was_not_made_by_terraform(
    firestore: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty list is not one that is ready."""
    firestore()
    assert main(["indexes"]) == 1
    assert "terraform -chdir=infra apply" in capsys.readouterr().err
