"""cloudbuild.yaml is what Cloud Build takes, and the pages that lead to a build say what it needs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import urllib.parse
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from packaging.utils import canonicalize_name

from deploy import indexes
from deploy.installing.checks import AT_ONCE
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


def test_a_build_without_tests_has_what_its_commands_import() -> None:
    """`make setup` installs requirements/run.txt alone."""
    lines = (ROOT / "requirements" / "run.txt").read_text().splitlines()
    installed = {line.partition("==")[0] for line in lines}
    ours = {path.name for path in ROOT.iterdir()} | sys.stdlib_module_names
    made_of = packages_distributions()
    for path in (ROOT / "deploy").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for top in {str(module).partition(".")[0] for module in modules} - ours:
                names = {canonicalize_name(name) for name in made_of[top]}
                assert names & installed, f"{path.name} imports {top}"


def test_a_test_that_fails_stops_the_build(tmp_path: Path) -> None:
    """So does linting that fails, after which no test runs."""
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
    assert flags["--region"] == flags["--substitutions"].split(",")[0].removeprefix("_REGION=") == "REGION"


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


def by_hand() -> str:
    """The part of docs/deploy.md that does what deploy/install does."""
    return (ROOT / "docs/deploy.md").read_text().partition("### The same by hand")[2].partition("\n## ")[0]


def test_commands_by_hand_have_flags_that_gcloud_has() -> None:
    """As its reference lists them."""
    text = re.sub(r"\$\(grep .*?\)", "", by_hand()).replace("\\\n", " ")
    found = re.findall(r"gcloud ((?:[a-z-]+ )+)([^\n|#]*)", text)
    assert len(found) > 10
    for words, rest in found:
        given = set(re.findall(r"(?<=\s)(--[a-z-]+)", f" {rest}"))
        command = next((name for name in FLAGS["commands"] if words.startswith(f"{name} ")), None)
        if given - set(FLAGS["wide"]):
            assert command, words
            assert given <= {*FLAGS["commands"][command], *FLAGS["wide"]}, (words, given)


def test_who_follows_the_page_by_hand_is_signed_in_and_has_set_what_is_used() -> None:
    """Terraform and `headrace` take the second login; no variable is used before it is set."""
    text = by_hand()
    for command in ("login", "application-default login", "application-default set-quota-project"):
        assert f"gcloud auth {command}" in text.partition("terraform")[0]
    blocks = "".join(re.findall(r"```\n(.*?)```", text, re.DOTALL))
    for name in set(re.findall(r"\$([A-Z][A-Z_]+)", blocks)):
        assert re.search(rf"\b{name}=", blocks[: blocks.index(f"${name}")]), name
    assert "docs/deploy.md#the-same-by-hand" in (ROOT / "infra/README.md").read_text()


def test_the_services_that_are_enabled_by_hand_are_those_of_the_list() -> None:
    """The command on the page finds them, at most as many as one call may enable."""
    page = (ROOT / "docs/deploy.md").read_text()
    [command] = re.findall(r"gcloud services enable \$\((.*)\)", page)
    found = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    apis = json.loads((ROOT / "infra/apis.json").read_text())
    assert found.stdout.split() == [api["name"] for api in apis["apis"] if api["when"] == "always"]
    assert len(found.stdout.split()) <= AT_ONCE
    loop = re.findall(r"for agent in (.*); do", page)[0].split()
    agents = [agent for agent in apis["agents"] if agent["when"] == "always"]
    assert {
        f"{agent['service'].split('.')[0]}:{agent['account'][17:].split('.')[0]}" for agent in agents
    } == set(loop)


def test_the_button_opens_cloud_shell_with_the_tutorial() -> None:
    """Its address is the one place that names where the repository is: a fork replaces OWNER there alone."""
    readme = (ROOT / "README.md").read_text()
    [link] = re.findall(r"\((https://shell\.cloud\.google\.com/cloudshell/editor\?[^)]*)\)", readme)
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    assert set(parameters) == {"cloudshell_git_repo", "cloudshell_tutorial"}
    place = r"https://(github\.com|bitbucket\.org)/[\w.-]+/[\w.-]+"  # others Cloud Shell does not clone
    assert re.fullmatch(place, parameters["cloudshell_git_repo"])
    tutorial = (ROOT / parameters["cloudshell_tutorial"]).read_text()
    assert tutorial.startswith("# ")
    for opened, rest in re.findall(r"<(walkthrough-[a-z-]+)([^>]*)>", tutorial):
        assert rest.endswith("/") or f"</{opened}>" in tutorial
    owner = re.compile(r"github\.com(/|%2F)OWNER")
    others = ("docs/deploy.md", "deploy/tutorial.md", "pyproject.toml", "CONTRIBUTING.md")
    assert not any(owner.search((ROOT / other).read_text()) for other in others)
