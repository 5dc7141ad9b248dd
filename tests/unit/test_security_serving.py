"""What serves: which revisions have traffic, how each is judged, and which secrets its program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.run_v2 import Revision, Service

from cli.diagnosis.findings import Target
from cli.security.deployment import Deployment
from cli.security.services import ABUSE, ACCOUNTS, IMAGES, INGRESS, UNPINNED, judge_encryption, judge_service
from cli.security.serving import READERS, judge_serving, revisions, secrets_read
from shared.platform.settings import Settings
from tests.unit.infra_plan import made

if TYPE_CHECKING:
    from pathlib import Path

NAME = "projects/p/locations/europe-west4/services/api"
OWN = "headrace-api@p.iam.gserviceaccount.com"
LATEST = {"type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
UPDATE = "gcloud run services update api --region=europe-west4"


def part(revision: str, percent: int, **more: Any) -> dict[str, Any]:
    kind = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    return {"type_": kind, "revision": revision, "percent": percent} | more


def service(*traffic: dict[str, Any], **more: Any) -> Service:
    """Whose newest revision is the third, and whose template is in order."""
    containers = [{"image": "i@sha256:1"}]
    template = {"service_account": OWN, "containers": containers, "scaling": {"max_instance_count": 5}}
    latest = f"{NAME}/revisions/api-3"
    fields = {"name": NAME, "ingress": "INGRESS_TRAFFIC_ALL", "template": template | more}
    return Service(fields, latest_ready_revision=latest, traffic_statuses=traffic)


@pytest.mark.parametrize(
    ("traffic", "serving", "status"),
    [
        ([LATEST], ["api-3"], "ok"),
        ([part("api-3", 100)], ["api-3"], "ok"),
        ([part("api-3", 100), part("api-2", 0, tag="previous")], ["api-3"], "ok"),
        ([part("api-2", 100), part("api-3", 0, tag="candidate")], ["api-2"], "warning"),
        ([part("api-2", 60), part("api-3", 40)], ["api-2", "api-3"], "warning"),
        ([part("api-2", 60), LATEST | {"percent": 40}], ["api-2", "api-3"], "warning"),
        ([], [], "unknown"),
    ],
)
def test_what_has_traffic_serves_and_should_be_the_newest(
    traffic: list[dict[str, Any]], serving: list[str], status: str
) -> None:
    """What Terraform has configured serves only after its traffic has moved."""
    found = judge_serving(service(*traffic))
    assert revisions(service(*traffic)) == serving
    assert found.status == status
    assert ("make promote FUNCTION=api" in str(found.fix)) is (status == "warning")


def test_a_revision_is_judged_in_place_of_the_template() -> None:
    """Account, image, variables, instances and key; the commands are the service's."""
    variable = {"name": "TOKEN", "value": "x"}
    serves = Revision(
        name=f"{NAME}/revisions/api-2",
        service_account="1-compute@developer.gserviceaccount.com",
        containers=[{"image": "i:latest", "env": [variable]}],
    )
    run = service(part("api-2", 100))
    assert [one for one in judge_service(run) if one.status != "ok"] == []
    bad = {one.check: one.fix for one in judge_service(run, [serves]) if one.status != "ok"}
    assert set(bad) == {ACCOUNTS, IMAGES, UNPINNED, ABUSE}
    assert all(UPDATE in str(fix) for fix in bad.values())
    assert [one.check for one in judge_service(run, [serves, serves])].count(INGRESS) == 1
    key = judge_encryption(serves, required=True)
    assert (key.status, key.fix) == ("wrong", f"{UPDATE} --key=KEY")


def settings(**variables: str) -> Settings:
    return Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p"} | variables)


def test_each_program_reads_the_secrets_that_are_its_own() -> None:
    """Of several that read the same, each with its version; what a program does not read does not count."""
    old = settings()
    new = settings(
        HEADRACE_API_KEY_HASH_VERSION="2",
        HEADRACE_REDACTION_KEY_VERSION="2",
        HEADRACE_PASSWORDS='{"hr/": "docpw-hr/3"}',
        HEADRACE_SMTP_PASSWORD="smtp/4",
    )
    programs = [("api", new), ("ingest", old), ("digest", new), ("long-job", new), ("sweep", old)]
    assert secrets_read(programs, ["hook/5"]) == {
        "api-key-hash": {2},
        "redaction-key": {1, 2},
        "docpw-hr": {3},
        "smtp": {4},
        "hook": {5},
    }


def test_readers_are_those_that_infra_lets_read() -> None:
    """The two secrets that every project has; others are for the variable `secrets` to say."""
    values = [(found["type"], found["values"]) for found in made("plain").values()]
    accounts = {one["member"]: one["account_id"] for kind, one in values if kind == "google_service_account"}
    readers = {
        accounts[one["member"]] for kind, one in values if kind == "google_secret_manager_secret_iam_member"
    }
    assert readers == {f"headrace-{name}" for name in READERS}


def test_without_traffic_the_template_is_all_there_is(tmp_path: Path) -> None:
    """As of a service that has just been made."""
    deployment = Deployment(Target(tmp_path, tmp_path, None, cloud=True))
    deployment._running = [service()]
    assert deployment._tasks("api") == deployment._running
    assert deployment._tasks("ingest") == []
