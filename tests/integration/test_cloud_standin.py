"""The stand-in for a Google Cloud: the real Terraform makes infra/ in it, and meets its refusals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.cloud.ground import Ground
from tests.cloud.state import NUMBER, changing, fresh

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = "my-project-terraform"
APIS = [
    "artifactregistry",
    "bigquery",
    "cloudbuild",
    "cloudresourcemanager",
    "cloudscheduler",
    "containeranalysis",
    "firestore",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "serviceusage",
    "storage",
]
AGENTS = ("pubsub", "firestore", "secretmanager", "artifactregistry")


def ready(folder: Path) -> Ground:
    """A project in which nothing is missing that infra/ needs, and Terraform knows its bucket."""
    ground = Ground.fresh(folder / "ground", fresh())
    with changing(ground.state_file) as cloud:
        for api in APIS:
            cloud.enable(f"{api}.googleapis.com")
        cloud.state["agents"] += [
            f"service-{NUMBER}@gcp-sa-{name}.iam.gserviceaccount.com" for name in AGENTS
        ]
        cloud.resources("google_storage_bucket")[BUCKET] = {"id": BUCKET, "name": BUCKET}
        cloud.state["quotas"]["CpuAllocPerProjectRegion"] = 40_000
    assert ground.run("terraform", "-chdir=infra", "init", f"-backend-config=bucket={BUCKET}").returncode == 0
    return ground


TOLD = ("-input=false", "-no-color", "-var=project=my-project")


def test_terraform_makes_infra_once(tmp_path: Path) -> None:
    """Applied to a project that is ready, infra/ is there, and another plan finds nothing to change."""
    ground = ready(tmp_path)
    applied = ground.run("terraform", "-chdir=infra", "apply", "-auto-approve", *TOLD)
    assert applied.returncode == 0, applied.stderr
    functions = set(json.loads((ground.checkout / "infra" / "functions.json").read_text()))
    services = ground.cloud.resources("google_cloud_run_v2_service").values()
    assert {service["name"] for service in services} == functions
    planned = ground.run("terraform", "-chdir=infra", "plan", "-detailed-exitcode", *TOLD)
    assert planned.returncode == 0, planned.stdout
    assert "No changes" in planned.stdout


def test_a_killed_terraform_leaves_its_lock_and_what_it_made(tmp_path: Path) -> None:
    """What a machine that is taken away leaves: the state is locked, and lacks what is there."""
    ground = ready(tmp_path)
    with changing(ground.state_file) as cloud:
        cloud.state["kill"] = {"call": len(cloud.state["calls"]) + 1, "when": "during", "applies": 40}
    apply = ("sh", "-c", 'terraform -chdir=infra apply -auto-approve "$@"; true', "", *TOLD)
    assert ground.run(*apply).returncode == -9
    again = ground.run(*apply)
    assert "Error acquiring the state lock" in again.stderr
    [identifier] = re.findall(r"ID: +(\w+)", again.stderr)
    assert ground.run("terraform", "-chdir=infra", "force-unlock", "-force", identifier).returncode == 0
    assert "Error 409" in ground.run(*apply).stderr


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
