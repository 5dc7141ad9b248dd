"""The stand-in for gcloud: what it refuses. What Terraform makes and meets is in the installer's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud.ground import Ground
from tests.cloud.state import fresh

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (
            "storage buckets describe gs://my-project-terraform --versions",
            "unrecognized arguments: --versions",
        ),
        ("storage buckets erase gs://my-project-terraform", "Invalid choice"),
        ("beta services identity create --project=my-project", "--service: Must be specified"),
        (
            "run services list --region=europe-west1 --project=my-project",
            "Cloud Run Admin API has not been used",
        ),
        (
            "services enable run.googleapis.com --project=other",
            "does not have permission to access project other",
        ),
        (
            "secrets versions list a --project=my-project --format=table(name)",
            "Secret Manager API has not been",
        ),
    ],
)
def test_gcloud_refuses(command: str, refusal: str, tmp_path: Path) -> None:
    """What gcloud does not know, and what Google refuses in a project in which nothing was done."""
    refused = Ground.fresh(tmp_path / "ground", fresh()).run("gcloud", *command.split())
    assert refused.returncode != 0
    assert refusal in refused.stderr
