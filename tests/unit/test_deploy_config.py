"""cloudbuild.yaml is what Cloud Build takes, and the pages that lead to a build say what it needs."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml

from deploy import indexes
from tests.cloud_build import ROOT, SUBSTITUTION, substituted

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
SCHEMA = json.loads((ROOT / "tests" / "data" / "cloudbuild_schema.json").read_text())
FLAGS = json.loads((ROOT / "tests" / "data" / "gcloud_flags.json").read_text())
BUILT_IN = {"PROJECT_ID", "BUILD_ID"}
ANY_PROJECT = {
    "us-central1",
    "us-west2",
    "europe-west1",
    "asia-east1",
    "australia-southeast1",
    "southamerica-east1",
}
"""https://cloud.google.com/build/docs/locations, restricted regions for some projects."""
SUBMITTED = re.compile(r"^(?:#| )*gcloud builds submit (.*?[^\\])$", re.MULTILINE | re.DOTALL)
MAKE = "make PYTHON=python lint setup"
PYTEST = "pytest -n 2 --dist loadfile tests/unit tests/integration"
SOURCES_BUCKET = re.compile(r'"google_storage_bucket" "sources" .*?name += "(.*?)"', re.DOTALL)


def test_cloud_build_knows_every_field() -> None:
    """Names, types and values are those of Cloud Build's API."""
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert [error.message for error in validator.iter_errors(CONFIG)] == []
    wrong = CONFIG | {"steps": [{"name": "image", "waitfor": ["-"]}]}
    assert not validator.is_valid(wrong)


def test_every_substitution_is_declared_and_used() -> None:
    """MUST_MATCH refuses a build otherwise; and no secret is among them."""
    text = (ROOT / "cloudbuild.yaml").read_text()
    used = {found[0] or found[1] for found in SUBSTITUTION.findall(text)}
    assert used - BUILT_IN == set(CONFIG["substitutions"])
    assert not {"availableSecrets", "secrets"} & set(CONFIG)


def test_nothing_is_deployed_before_tests_and_audit() -> None:
    """What is deployed is read before the tests, so that what comes meanwhile is seen."""
    waits = {step["id"]: set(step["waitFor"]) - {"-"} for step in CONFIG["steps"]}

    def before(name: str) -> set[str]:
        return waits[name].union(*(before(earlier) for earlier in waits[name]))

    assert before("rollout") == set(waits) - {"rollout"}
    assert "test" not in before("state")


@pytest.mark.parametrize(
    ("tests", "called"),
    [
        ("run", [MAKE, PYTEST]),
        ("skip", []),
    ],
)
def test_a_released_tag_is_built_without_what_only_tests_need(
    tests: str, called: list[str], tmp_path: Path
) -> None:
    """Else two tests at a time, which is what a machine of two processors and 8 GB bears."""
    [script] = [step["args"][-1] for step in CONFIG["steps"] if step["id"] == "test"]
    for program in ("make", ".venv/bin/pytest"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{path.name} $@" >> calls\n')
        path.chmod(0o755)
    script = substituted(script, {"_TESTS": tests})
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    calls = tmp_path / "calls"
    assert (calls.read_text().splitlines() if calls.exists() else []) == called


def test_a_test_that_fails_stops_the_build(tmp_path: Path) -> None:
    """Of linting too, after which no test runs."""
    [script] = [step["args"][-1] for step in CONFIG["steps"] if step["id"] == "test"]
    (tmp_path / "make").write_text("#!/bin/sh\nexit 2\n")
    (tmp_path / "make").chmod(0o755)
    script = substituted(script, {"_TESTS": "run"})
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, check=False).returncode == 2


def test_a_build_has_the_time_that_its_steps_have() -> None:
    """Whatever takes too long is ended as the step that it is, and not with the build around it."""
    steps = {step["id"]: step for step in CONFIG["steps"]} | {"-": {"timeout": "0s", "waitFor": []}}

    def end(name: str) -> int:
        begin = max((end(before) for before in steps[name]["waitFor"]), default=0)
        return begin + int(steps[name]["timeout"].removesuffix("s"))

    assert end("rollout") == max(end(name) for name in steps)
    assert end("rollout") <= int(CONFIG["timeout"].removesuffix("s"))


def test_a_wait_for_indexes_ends_before_its_step() -> None:
    """So that it names those that are not ready."""
    [step] = [step for step in CONFIG["steps"] if step["id"] == "indexes"]
    assert int(step["timeout"].removesuffix("s")) > indexes.SECONDS + 60


@pytest.mark.parametrize("page", ["docs/deploy.md", "cloudbuild.yaml"])
def test_sources_are_sent_to_the_bucket_that_terraform_makes(page: str) -> None:
    """And not to one that gcloud makes; every flag is gcloud's, and the region is told twice."""
    text = (ROOT / page).read_text().replace("$GOOGLE_CLOUD_PROJECT", "PROJECT").replace("$REGION", "REGION")
    [command] = SUBMITTED.findall(text)
    flags = dict(re.findall(r"(--[a-z-]+)=(\S+)", command))
    assert set(flags) <= set(FLAGS["commands"]["builds submit"])
    [made] = SOURCES_BUCKET.findall((ROOT / "infra" / "build.tf").read_text())
    bucket = made.replace("${var.project}", "PROJECT").replace("${var.region}", "REGION")
    assert flags["--gcs-source-staging-dir"] == f"gs://{bucket}/builds"
    assert flags["--region"] == flags["--substitutions"].removeprefix("_REGION=") == "REGION"


def test_the_region_that_is_named_is_one_in_which_every_project_may_build() -> None:
    """In another, a project's first build may be refused, when its database stands there for ever."""
    infra = (ROOT / "infra" / "variables.tf").read_text()
    [default] = re.findall(r'variable "region" \{[^}]*default\s*=\s*"([^"]+)"', infra)
    assert default in ANY_PROJECT
    assert CONFIG["substitutions"]["_REGION"] == default
    for page, named in (
        ("docs/deploy.md", r"REGION=(\S+)$"),
        ("infra/terraform.tfvars.example", r'region +="(.+)"'),
    ):
        text = (ROOT / page).read_text().replace("= ", "=")
        assert set(re.findall(named, text, re.MULTILINE)) == {default}, page


def test_who_follows_the_pages_is_signed_in_and_has_set_what_they_use() -> None:
    """Terraform and `headrace` take the second login; no variable is used before it is set."""
    deploy, infra = ((ROOT / page).read_text() for page in ("docs/deploy.md", "infra/README.md"))
    first, _, rest = deploy.partition("(../infra/README.md")
    for command in ("login", "application-default login", "application-default set-quota-project"):
        assert f"gcloud auth {command}" in first
    blocks = "".join(re.findall(r"```\n(.*?)```", first + infra + rest, re.DOTALL))
    for name in set(re.findall(r"\$([A-Z][A-Z_]+)", blocks)):
        assert re.search(rf"\b{name}=", blocks[: blocks.index(f"${name}")]), name
    assert "docs/deploy.md#from-nothing-to-running" in (ROOT / "README.md").read_text()
