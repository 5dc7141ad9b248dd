"""infra/ is well-formed, fits the provider's schema, and makes what it says; all without a project."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.unit.infra_plan import INFRA, lines_of_tests, made, of_type, terraform
from tests.unit.infra_provider import schema

if TYPE_CHECKING:
    from pathlib import Path

ROLES: dict[str, list[str]] = json.loads((INFRA.parent / "tests" / "data" / "roles.json").read_text())[
    "roles"
]
FILES = sorted(INFRA.glob("*.tf"))
RUNS = ("plain", "everything", "no_job")
PLANNED = ("fewer_services", "no_recovery", "unprotected")
REFUSED = ("misspelt", "elsewhere")


def test_canonical_form() -> None:
    """`terraform fmt` changes nothing."""
    code, output = terraform(INFRA, "fmt", "-check", "-diff", "-recursive", str(INFRA))
    assert code == 0, output


def test_valid() -> None:
    """Every block, argument, reference and type is what Terraform and the provider's schema take."""
    code, output = terraform(INFRA, "validate", "-json")
    found = json.loads(output)
    assert (code, found["diagnostics"]) == (0, [])


@pytest.mark.parametrize(
    ("file", "old", "new", "summary"),
    [
        ("apis.tf", "disable_on_destroy ", "disable_on_destruction ", "Unsupported argument"),
        pytest.param("apis.tf", "  service = each.key\n", "", "Missing required argument",
                     marks=pytest.mark.slow),
        ("topics.tf", "retry_policy {", "retries {", "Unsupported block type"),
        ("topics.tf", "google_bigquery_table.results.project", "google_bigquery_table.result.project",
         "Reference to undeclared resource"),
        pytest.param("job.tf", "var.long_job.gpu", "var.long_job.tpu", "Unsupported attribute",
                     marks=pytest.mark.slow),
        ("schedules.tf", "topic_name = google", "topic_name = [google", "Missing item separator"),
        ("firestore.tf", 'google_firestore_database"', 'google_firestore_data"', "Invalid resource type"),
        pytest.param("outputs.tf", ".registry_uri", ".registry_url", "Unsupported attribute",
                     marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_mistakes_are_found(tmp_path: Path, file: str, old: str, new: str, summary: str) -> None:
    """The check is no formality: a misspelling of each kind is refused."""
    folder = copied(tmp_path)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    code, output = terraform(folder, "validate", "-json")
    assert code != 0
    assert summary in output


def copied(tmp_path: Path) -> Path:
    return shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns("tests", ".terraform*"))


def test_runs() -> None:
    """infra/tests passes: as it comes, with everything switched on, without the job, with wrong values."""
    code, lines = lines_of_tests()
    failed = [
        f"{line['diagnostic']['summary']}: {line['diagnostic']['detail']}"
        for line in lines
        if line["type"] == "diagnostic" and line.get("@testrun") not in REFUSED
    ]
    assert (code, failed) == (0, [])
    passed = {line["@testrun"] for line in lines if line.get("test_run", {}).get("status") == "pass"}
    assert passed == {*RUNS, *PLANNED, *REFUSED}


def test_everything_declared_is_made() -> None:
    """No resource is left that no run makes, so each was evaluated once at least."""
    declared = {
        f"{kind}.{name}"
        for path in FILES
        for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', path.read_text(), re.MULTILINE)
    }
    seen = {address.partition("[")[0] for run in RUNS for address in made(run)}
    assert declared <= seen


def test_everything_declared_is_used() -> None:
    """Variables and locals that nothing reads say something that is not so."""
    text = "\n".join(path.read_text() for path in FILES)
    for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE):
        own = re.search(rf'^variable "{name}".*?^}}', text, re.MULTILINE | re.DOTALL)
        assert own is not None
        assert re.search(rf"\bvar\.{name}\b", text.replace(own[0], "")), name
    for block in re.findall(r"^locals \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        for name in re.findall(r"^  (\w+) +=", block, re.MULTILINE):
            assert re.search(rf"\blocal\.{name}\b", text), name


def test_accounts_of_google_are_asked_for_when_their_services_are_on() -> None:
    """Neither asking, nor naming an account by its number, waits for the services otherwise."""
    text = "\n".join(path.read_text() for path in FILES)
    for head in (
        'data "google_storage_project_service_account" "this"',
        'data "google_bigquery_default_service_account" "this"',
        'resource "google_kms_crypto_key_iam_member" "agent"',
    ):
        block = re.search(rf"^{head} \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
        assert block is not None, head
        assert re.search(r"^  depends_on += \[google_project_service\.all\]$", block[1], re.MULTILINE), head


def test_apis_and_agents() -> None:
    """Something known switches on each API and agent, and an agent's API wherever the agent is needed."""
    google = json.loads((INFRA / "apis.json").read_text())
    switches = set(re.findall(r"^    (\w+) += ", (INFRA / "apis.tf").read_text(), re.MULTILINE))
    apis = {api["name"]: api["when"] for api in google["apis"]}
    assert len(apis) == len(google["apis"])
    assert switches == set(apis.values()) | {agent["when"] for agent in google["agents"]}
    for agent in google["agents"]:
        assert agent["service"] == f"{agent['name']}.googleapis.com"
        assert apis[agent["service"]] in {"always", agent["when"]}
        assert re.fullmatch(r"service-\{number\}@[a-z-]+\.iam\.gserviceaccount\.com", agent["account"])
        assert agent["role"] is None or agent["role"] in ROLES
        assert agent["why"]


def test_apis_are_enabled_as_switched_on() -> None:
    """Those of `always` without being asked, and all with everything switched on."""
    apis = json.loads((INFRA / "apis.json").read_text())["apis"]
    enabled = {
        run: {one["service"] for one in of_type(run, "google_project_service").values()} for run in RUNS
    }
    assert enabled["plain"] == {api["name"] for api in apis if api["when"] == "always"}
    assert enabled["everything"] == {api["name"] for api in apis}


RIGHTS_FIRST = {
    "google_pubsub_subscription.push": "google_service_account_iam_member.pusher",
    "google_pubsub_subscription.results": "google_bigquery_table_iam_member.results",
    "google_storage_notification.uploads": "google_pubsub_topic_iam_member.notification",
    "google_storage_bucket.all": "google_kms_crypto_key_iam_member.agent",
    "google_firestore_database.this": "google_kms_crypto_key_iam_member.agent",
}
"""What Google refuses to make before an account of its own may do its part."""


def test_services_and_rights_come_first(tmp_path: Path) -> None:
    """Everything waits for the APIs, and what needs a right of an agent for that right."""
    folder = copied(tmp_path)
    versions = folder / "versions.tf"
    # A graph needs no state, and a backend would be asked for one.
    versions.write_text(re.sub(r'  backend "gcs" \{.*?\n  \}\n', "", versions.read_text(), flags=re.DOTALL))
    code, graph = terraform(folder, "graph")
    assert code == 0, graph
    edges: dict[str, set[str]] = {}
    for waiting, first in re.findall(r'"([^"]+)" -> "([^"]+)"', graph):
        edges.setdefault(waiting, set()).add(first)

    def before(name: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            fresh = edges.get(waiting.pop(), set()) - seen
            seen |= fresh
            waiting += fresh
        return seen

    nodes = set(re.findall(r'^  "((?:data\.)?google_\w+\.\w+)" \[', graph, re.MULTILINE))
    assert len(nodes) > len(RIGHTS_FIRST)
    at_once = {name for name in nodes if "google_project_service.all" not in before(name)}
    assert at_once == {"google_project_service.all", "data.google_project.this"}
    for name, right in RIGHTS_FIRST.items():
        assert right in before(name), name


def test_variables_are_told() -> None:
    """Each variable and output has a description, each variable a type."""
    for path in FILES:
        for kind, name, body in re.findall(
            r'^(variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text(), re.MULTILINE | re.DOTALL
        ):
            assert re.search(r"^  description += \"", body, re.MULTILINE), name
            assert kind == "output" or re.search(r"^  type += ", body, re.MULTILINE), name


def test_schema_is_of_the_pinned_provider() -> None:
    """It was checked for the version in versions.tf, and for the resources in use and no others."""
    text = "\n".join(path.read_text() for path in FILES)
    pinned = re.search(r'source  = "hashicorp/google"\n\s+version = "~> (\d+\.\d+)"', text)
    assert pinned is not None
    assert schema()["provider_version"].startswith(f"{pinned[1]}.")
    assert set(schema()["resource_schemas"]) == set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE))
    assert set(schema()["data_source_schemas"]) == set(re.findall(r'^data "(\w+)"', text, re.MULTILINE))


def test_labels() -> None:
    """What has labels gets them from the provider, and alert policies, which call them otherwise, by hand."""
    assert "default_labels = merge" in (INFRA / "versions.tf").read_text()
    for run in RUNS:
        for address, policy in of_type(run, "google_monitoring_alert_policy").items():
            assert policy["user_labels"] == {"application": "headrace"}, address


@pytest.mark.parametrize("run", RUNS)
def test_buckets_are_closed(run: str) -> None:
    """Nobody can open a bucket to the public, by policy or by an object's own list."""
    buckets = of_type(run, "google_storage_bucket")
    assert len(buckets) == 5
    for bucket in buckets.values():
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["uniform_bucket_level_access"] is True


BUILDS = {"roles/logging.logWriter", "roles/run.sourceDeveloper", "roles/serviceusage.serviceUsageConsumer"}
BROAD = re.compile(r"roles/(owner|editor|viewer|.*\.(admin|owner|editor)|storage\.admin)$")


@pytest.mark.parametrize("run", RUNS)
def test_least_rights(run: str) -> None:
    """No role is broad, and none is over the project but for what has no policy of its own."""
    members = {
        address: found["values"]
        for address, found in made(run).items()
        if found["mode"] == "managed" and found["type"].endswith("_iam_member")
    }
    for address, binding in members.items():
        assert not BROAD.match(binding["role"]), address
    builder = of_type(run, "google_service_account")["google_service_account.builder"]["member"]
    over_project = {
        address: binding for address, binding in members.items() if "google_project_iam_member" in address
    }
    for address, binding in over_project.items():
        if binding["member"] == builder and binding["role"] in BUILDS:
            continue
        assert binding["role"] in {"roles/datastore.user", "roles/datastore.viewer"}, address
        [condition] = binding["condition"]
        assert (
            condition["expression"] == 'resource.name.startsWith("projects/my-project/databases/(default)")'
        )


def test_nobody_is_let_in_unasked() -> None:
    """Unless told otherwise, only the pusher may call the functions, the console the API, deployment all."""
    members = of_type("plain", "google_cloud_run_v2_service_iam_member")
    accounts = of_type("plain", "google_service_account")
    pusher = accounts["google_service_account.pusher"]["member"]
    builder = accounts["google_service_account.builder"]["member"]
    invokers = {
        (values["name"], values["member"])
        for values in members.values()
        if values["role"] == "roles/run.invoker"
    }
    functions = json.loads((INFRA / "functions.json").read_text())
    pushed = {(name, pusher) for name, told in functions.items() if told["topic"]}
    console = accounts['google_service_account.program["console"]']["member"]
    assert invokers == pushed | {(name, builder) for name in functions} | {("api", console)}


@pytest.mark.parametrize("run", RUNS)
def test_nobody_outside_a_domain_is_a_member(run: str) -> None:
    """`allUsers` is refused where an organisation shares with its own domain alone."""
    members = [
        str(found["values"]["member"])
        for found in made(run).values()
        if found["mode"] == "managed" and found["type"].endswith("_iam_member")
    ]
    assert members
    assert not {"allUsers", "allAuthenticatedUsers"} & set(members)


def test_values_of_secrets_are_not_made() -> None:
    """A value in Terraform would be a value in its state."""
    assert not re.search(r"google_secret_manager_secret_version", "\n".join(p.read_text() for p in FILES))


def test_short_files() -> None:
    """A file is of one topic."""
    long = {
        path.name for path in INFRA.rglob("*") if path.is_file() and len(path.read_text().splitlines()) > 300
    }
    assert not long
