"""Traffic moves to what Terraform has configured anew, where its code is what serves, and to nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from deploy.__main__ import main
from deploy.cloud import CONTENT
from deploy.stage import FUNCTIONS
from shared.platform.clients import storage_client
from shared.platform.settings import settings
from tests.cloud_build import PROJECT, REPOSITORY, ROOT, CloudBuild
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def revision(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "labels": {CONTENT: code}, "image": f"i@sha256:{code}"} | more


@pytest.fixture(scope="module", autouse=True)
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with storing(tmp_path_factory.mktemp("storage")):
        storage_client().create_bucket(settings().work_bucket)
        yield


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudBuild:
    """Each function serves its second revision."""
    for blob in storage_client().list_blobs(settings().work_bucket):
        blob.delete()
    made = CloudBuild(tmp_path / "workspace", "", "")
    made.install_stand_ins()
    services = {
        name: {
            "revisions": [revision(f"{name}-1", "old"), revision(f"{name}-2", "new")],
            "serving": f"{name}-2",
            "tags": {},
        }
        for name in FUNCTIONS
    }
    made.store({"project": PROJECT, "services": services, "job": None, "calls": []})
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    monkeypatch.setenv("GCLOUD_STATE", str(made.state_file))
    place = {"GOOGLE_CLOUD_PROJECT": PROJECT, "REGION": "europe-west1", "REPOSITORY": REPOSITORY}
    for variable, value in place.items():
        monkeypatch.setenv(variable, value)
    return made


def applied(cloud: CloudBuild, name: str, code: str = "new", **more: Any) -> None:
    """As after `terraform apply`: a third revision, with the image and the labels of the template."""
    state = cloud.state()
    state["services"][name]["revisions"].append(revision(f"{name}-3", code, **more))
    cloud.store(state)


def changed(cloud: CloudBuild, name: str, **fields: Any) -> None:
    state = cloud.state()
    state["services"][name] |= fields
    cloud.store(state)


def test_what_was_configured_gets_the_traffic_and_can_be_taken_back(cloud: CloudBuild) -> None:
    """Promoting a named function twice does the same as once."""
    applied(cloud, "api")
    applied(cloud, "ingest")
    before = cloud.serving()
    for _ in range(2):
        assert main(["promote", "api"]) == 0
        assert cloud.serving() == before | {"api": "api-3"}
    assert len(cloud.take_calls()) == 1
    assert main(["rollback", "api"]) == 0
    assert cloud.serving() == before


def test_without_a_name_all_functions_are_looked_after(cloud: CloudBuild) -> None:
    """Those of which nothing was configured stay as they are."""
    before = cloud.serving()
    for name in ("digest", "ingest"):
        applied(cloud, name)
    assert main(["promote"]) == 0
    assert cloud.serving() == before | {"digest": "digest-3", "ingest": "ingest-3"}
    assert len(cloud.take_calls()) == 2


def test_what_somebody_divided_goes_to_the_newest_whole(cloud: CloudBuild) -> None:
    """Else the other part would go on with what it was given before."""
    changed(cloud, "api", share=60)
    assert main(["promote", "api"]) == 0
    assert cloud.state()["services"]["api"]["share"] == 100


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        ({"code": "newer"}, "has other code than api-2"),  # a candidate that failed, configured anew
        ({"labels": {}}, "has other code than api-2"),
        ({"image": "by-hand:latest"}, "has other code than api-2"),
        ({"broken": True}, "api-3, the newest, has not started"),
    ],
)
def test_what_was_never_tried_or_does_not_start_gets_no_traffic(
    cloud: CloudBuild, newest: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing moves, of the other functions neither."""
    before = cloud.serving()
    applied(cloud, "api", **newest)
    applied(cloud, "ingest")
    assert main(["promote"]) == 1
    assert said in capsys.readouterr().err
    assert cloud.serving() == before
    assert cloud.take_calls() == []


def test_what_was_rolled_back_does_not_come_again(cloud: CloudBuild) -> None:
    """Terraform's revision has the code that was deployed last, not that which serves."""
    changed(cloud, "api", serving="api-1")
    applied(cloud, "api")
    assert main(["promote", "api"]) == 1
    assert cloud.serving()["api"] == "api-1"


def test_a_promotion_that_failed_is_finished_by_the_next(
    cloud: CloudBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has moved stays; a rollback takes back both."""
    before = cloud.serving()
    for name in ("digest", "ingest"):
        applied(cloud, name)
    monkeypatch.setenv("GCLOUD_FAILS", "run services update-traffic ingest")
    assert main(["promote", "digest", "ingest"]) == 1
    assert (cloud.serving()["digest"], cloud.serving()["ingest"]) == ("digest-3", "ingest-2")
    monkeypatch.delenv("GCLOUD_FAILS")
    assert main(["promote", "digest", "ingest"]) == 0
    assert (cloud.serving()["digest"], cloud.serving()["ingest"]) == ("digest-3", "ingest-3")
    assert main(["rollback"]) == 0
    assert cloud.serving() == before


@pytest.mark.parametrize("secret", ["api-key-hash", "redaction-key"])
def test_no_version_is_disabled_before_what_reads_another_serves(secret: str) -> None:
    """In the page's procedures: apply, move the readers' traffic, take away what served before, disable."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    [procedure] = re.findall(
        rf"```\n((?:(?!```).)*versions disable \d+ --secret={secret}.*?)```", page, re.DOTALL
    )
    readers = re.search(
        rf"{secret} += toset\(\[(.*?)\]\)", (ROOT / "infra" / "secrets.tf").read_text("utf-8")
    )
    assert readers
    steps = procedure[: procedure.index("versions disable")]
    last = steps[steps.rindex("terraform") :]
    promoted = re.search(r'make promote FUNCTION="?([a-z ]+)', last)
    assert promoted
    assert set(promoted[1].split()) == set(re.findall(r'"([a-z-]+)"', readers[1]))
    assert "/deployment.json" in last[promoted.end() :]
