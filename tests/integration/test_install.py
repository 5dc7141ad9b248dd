"""`deploy/install` in an empty project: what it makes, what it asks, and what it says where it cannot."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud.ground import Ground
from tests.cloud.state import NUMBER, fresh

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)
"""Real Terraform makes three hundred things: a minute by itself, more beside other tests."""

CHANGING = re.compile(r"gcloud .*\b(enable|create|add|update|submit|cp|rm|add-iam-policy-binding)\b")


def test_an_empty_project_is_installed(installation: Ground) -> None:
    """Everything serves what was built, every index is ready, and one build was enough."""
    cloud = installation.cloud
    functions = set(json.loads((installation.checkout / "infra" / "functions.json").read_text()))
    services = cloud.resources("google_cloud_run_v2_service").values()
    assert {service["name"] for service in services if service["serving"].endswith("-dep")} == functions
    assert {index["state"] for index in cloud.resources("google_firestore_index").values()} == {"READY"}
    assert [build["status"] for build in cloud.state["builds"]] == ["SUCCESS"]
    assert (
        f"https://console-{NUMBER}.europe-west1.run.app" in installation.said
        or "run.app" in installation.said
    )


def test_agents_have_the_roles_that_they_need(installation: Ground) -> None:
    """Google's own accounts that infra/ names have their documented roles, which nobody else gives them."""
    table = json.loads((installation.checkout / "infra" / "apis.json").read_text())["agents"]
    granted = {(role, member) for role, member, _ in installation.cloud.policy("project")}
    needed = {
        (agent["role"], f"serviceAccount:{agent['account'].format(number=NUMBER)}")
        for agent in table
        if agent["when"] == "always" and agent["role"]
    }
    assert needed
    assert needed <= granted


def test_only_the_key_that_its_owner_needs_is_shown(installation: Ground) -> None:
    """The API's key is printed and its hash stored; nothing else of a secret is printed, or an argument."""
    key = installation.said.strip().splitlines()[-1].strip()
    stored = installation.cloud.state["secrets"]
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert stored["api-key-hash"][0]["sha256"] == hashlib.sha256(digest.encode()).hexdigest()
    assert digest not in installation.said
    assert installation.said.count(key) == 1
    assert not [command for command in installation.commands if key in command or digest in command]


def test_a_second_run_changes_nothing(installation: Ground, tmp_path: Path) -> None:
    """It looks, finds all done, and says so; no key is made again."""
    again = installation.copied(tmp_path / "again")
    before, so_far = again.outcome, len(again.commands)
    assert again.install("--project=my-project", "--yes") == 0, again.said
    assert again.outcome == before
    changing = [command for command in again.commands[so_far:] if CHANGING.search(command)]
    assert [command for command in changing if "storage cp infra/terraform.tfvars" not in command] == []
    assert "No changes" in again.said


def test_a_dry_run_changes_nothing(tmp_path: Path, memo: str) -> None:
    """It shows the commands and runs none that changes something."""
    ground = Ground.fresh(tmp_path / "ground", fresh(), CLOUD_MEMO=memo)
    before = ground.outcome
    assert ground.install("--project=my-project", "--yes", "--dry-run") == 0, ground.said
    assert ground.outcome == before
    assert not [command for command in ground.commands if CHANGING.search(command)]
    assert not (ground.checkout / "infra" / "terraform.tfvars").exists()
    assert "$ terraform -chdir=infra apply" in ground.said


def test_what_is_not_given_is_asked_for(tmp_path: Path, memo: str) -> None:
    """Answers are kept in the file of variables, and a wrong one is asked for again."""
    ground = Ground.fresh(tmp_path / "ground", fresh() | {"quotas": {}}, CLOUD_MEMO=memo)
    ground.change(billing=None)
    answers = "My Project\nmy-project\n"
    assert ground.install(answers=answers) == 1
    assert "lower-case letters" in ground.said
    assert "Billing is off in my-project" in ground.said


REFUSED: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    # What is different in the project, further options, the problem's code, and words that help.
    "no project": ({"exists": False}, [], "no-project", "gcloud projects create my-project"),
    "no login": ({"account": None}, [], "login-expired", "gcloud auth login"),
    "no login for Terraform": ({"adc": None}, [], "login-expired", "gcloud auth application-default login"),
    "no billing": ({"billing": None}, [], "billing-off", "billing/linkedaccount?project=my-project"),
    "no such region": ({}, ["--region=europe-north9"], "region", "europe-west4"),
    "too few processors": (
        {"quotas": {"CpuAllocPerProjectRegion": 10_000, "MemAllocPerProjectRegion": 2**36}},
        [],
        "quota",
        "CpuAllocPerProjectRegion",
    ),
    "too little for a larger size": ({}, ["--size=medium"], "quota", "CpuAllocPerProjectRegion"),
    "the bucket of the state is somebody else's": (
        {"taken": ["my-project-terraform"]},
        [],
        "name-taken",
        "a project with another id",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_missing_is_said_before_anything_is_made(name: str, tmp_path: Path, memo: str) -> None:
    """A person is told what to do, and finds nothing in the project beyond services that are on."""
    different, options, code, words = REFUSED[name]
    ground = Ground.fresh(tmp_path / "ground", fresh() | different, CLOUD_MEMO=memo)
    assert ground.install("--project=my-project", "--yes", *options) == 1
    assert f"({code})" in ground.said
    assert words in ground.said
    assert not any(ground.cloud.state["resources"].values())


@pytest.mark.parametrize("role", ["roles/viewer", "roles/editor"])
def test_a_lesser_role_is_told_before_anything_is_made(role: str, tmp_path: Path, memo: str) -> None:
    """Who is no owner is told so, and by whom that can be changed."""
    ground = Ground.fresh(tmp_path / "ground", fresh(), CLOUD_MEMO=memo)
    ground.change(policies={"project": [[role, "user:ada@example.org", ""]]})
    assert ground.install("--project=my-project", answers="n\n") == 1
    assert "(no-rights)" in ground.said
    assert not any(ground.cloud.state["resources"].values())


def test_a_slow_project_of_a_strict_organisation(tmp_path: Path, memo: str) -> None:
    """What was just made is refused at first and there in the end; nothing is bound to everybody.

    Only its own people may be let in, who reach the console through Identity-Aware Proxy. A bucket's name is
    somebody else's for a while, which a person is told, and another run goes on from there.
    """
    slow = {"propagation": {"api": 90, "account": 5, "metric": 25, "database": 0}}
    strict = {"organised": True, "restricted": True, "invoker_iam_required": True}
    state = fresh() | strict | slow | {"taken": ["my-project-uploads"]}
    ground = Ground.fresh(tmp_path / "ground", state, CLOUD_MEMO=memo)
    assert ground.install("--project=my-project", "--yes") == 1
    assert "(name-taken)" in ground.said
    ground.change(taken=[])
    assert ground.install("--project=my-project", "--yes") == 0, ground.said[-3000:]
    assert sum("terraform -chdir=infra apply" in command for command in ground.commands) > 1
    members = {member for bindings in ground.cloud.state["policies"].values() for _, member, _ in bindings}
    assert "user:ada@example.org" in members
    assert not members & {"allUsers", "allAuthenticatedUsers"}


def test_a_console_for_everybody_who_has_a_key(installation: Ground) -> None:
    """Outside an organisation the console is open to keys, without a binding to everybody."""
    members = {
        member for bindings in installation.cloud.state["policies"].values() for _, member, _ in bindings
    }
    assert not members & {"allUsers", "allAuthenticatedUsers"}
    [console] = [
        service
        for service in installation.cloud.resources("google_cloud_run_v2_service").values()
        if service["name"] == "console"
    ]
    assert console["invoker_iam_disabled"]
