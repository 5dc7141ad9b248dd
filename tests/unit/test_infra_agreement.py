"""Code and infra/ agree, in both directions: what the one names, the other has, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deploy import trial
from deploy.cloud import BUILDER
from deploy.quotas import BYTES, SIZES, needs
from deploy.stage import FUNCTIONS as DEPLOYED
from local import provision, services
from local.heartbeat import KINDS
from shared.documents import cost
from shared.platform.records import ResultMessage
from shared.platform.settings import DEAD_LETTERS, RESULTS, TOPICS, Settings
from tests.unit.infra_plan import INFRA, made, of_type

PROJECT = "my-project"
RUNS = ("plain", "everything", "no_job")
SIZE_OF = {"plain": "small", "everything": "large", "no_job": "medium"}
"""Size of each run: the default, and those that plan.tftest.hcl names."""
FUNCTIONS: dict[str, dict[str, Any]] = json.loads((INFRA / "functions.json").read_text())
SETTINGS = Settings.from_environment({"GOOGLE_CLOUD_PROJECT": PROJECT})


def environments(run: str) -> dict[str, dict[str, str]]:
    """Of every service and of the job, by name."""
    containers = {
        service["name"]: service["template"][0]["containers"][0]
        for service in of_type(run, "google_cloud_run_v2_service").values()
    } | {
        job["name"]: job["template"][0]["template"][0]["containers"][0]
        for job in of_type(run, "google_cloud_run_v2_job").values()
    }
    return {
        name: {one["name"]: one["value"] for one in container["env"]}
        for name, container in containers.items()
    }


def subscriptions() -> dict[str, dict[str, Any]]:
    """By name, but for those of candidates."""
    found = of_type("plain", "google_pubsub_subscription")
    return {one["name"]: one for address, one in found.items() if ".candidate[" not in address}


def topic_of(identifier: str) -> str:
    """The name of the topic with this id, which is of Terraform's mock provider's making."""
    [name] = [
        one["name"] for one in of_type("plain", "google_pubsub_topic").values() if one["id"] == identifier
    ]
    return str(name)


def test_topics() -> None:
    """Each topic of the code, with messages kept as long as a subscription keeps them."""
    topics = {one["name"]: one for one in of_type("plain", "google_pubsub_topic").values()}
    assert set(topics) == set(TOPICS)
    for topic in topics.values():
        assert topic["message_retention_duration"] == f"{provision.RETENTION.seconds}s"


@pytest.mark.parametrize("name", provision.SUBSCRIPTIONS)
def test_subscriptions(name: str) -> None:
    """Each as on a laptop; only the backoff is longer, for outages of hours."""
    assert set(subscriptions()) == set(provision.SUBSCRIPTIONS)
    found, wanted = subscriptions()[name], provision.expected(name, PROJECT)
    assert topic_of(found["topic"]) == provision.SUBSCRIPTIONS[name] == wanted.topic.rpartition("/")[2]
    assert found["ack_deadline_seconds"] == wanted.ack_deadline_seconds
    assert found["message_retention_duration"] == f"{wanted.message_retention_duration.total_seconds():.0f}s"
    assert (found["filter"] or "") == wanted.filter
    assert found["expiration_policy"] == [{"ttl": ""}]
    assert bool(found["push_config"]) == (name in provision.PUSHES)
    assert bool(found["bigquery_config"]) == (name == RESULTS)
    if policy := wanted.dead_letter_policy:
        [letters] = found["dead_letter_policy"]
        assert topic_of(letters["dead_letter_topic"]) == DEAD_LETTERS
        assert letters["max_delivery_attempts"] == policy.max_delivery_attempts
    else:
        assert found["dead_letter_policy"] == []
    if retry := wanted.retry_policy:
        [backoff] = found["retry_policy"]
        assert float(backoff["minimum_backoff"][:-1]) >= retry.minimum_backoff.total_seconds()
        assert float(backoff["maximum_backoff"][:-1]) >= retry.maximum_backoff.total_seconds()


def test_pushes() -> None:
    """Each goes to its function's own address, with a token for just that."""
    addresses = {one["name"]: one["uri"] for one in of_type("plain", "google_cloud_run_v2_service").values()}
    for name in provision.PUSHES:
        [push] = subscriptions()[name]["push_config"]
        assert push["push_endpoint"] == push["oidc_token"][0]["audience"] == addresses[name]


def test_dead_letters_can_be_passed_on() -> None:
    """Pub/Sub's agent may take from each subscription that has a dead-letter topic, and publish there."""
    members = of_type("plain", "google_pubsub_subscription_iam_member")
    every = of_type("plain", "google_pubsub_subscription").values()
    ids = {one["id"]: one["name"] for one in every if one["dead_letter_policy"]}
    assert len(ids) == 4
    assert {ids[one["subscription"]] for one in members.values()} == set(ids.values())
    assert {one["role"] for one in members.values()} == {"roles/pubsub.subscriber"}


def test_ticks() -> None:
    """A heartbeat for each function that waits for one, as often as on a laptop or oftener."""
    jobs = of_type("plain", "google_cloud_scheduler_job")
    kinds = {one["pubsub_target"][0]["attributes"]["kind"]: one for one in jobs.values()}
    assert set(kinds) == set(KINDS) == set(provision.FILTERS)
    for kind, job in kinds.items():
        assert topic_of(job["pubsub_target"][0]["topic_name"]) == "ticks"
        minutes = re.fullmatch(r"\*/(\d+) \* \* \* \*", job["schedule"])
        assert minutes is not None
        assert int(minutes[1]) * 60 == pytest.approx(300)
        assert KINDS[kind] <= 300


def test_buckets() -> None:
    """Those of the settings, and the uploads' notification in the form that ingest reads."""
    found = of_type("plain", "google_storage_bucket")
    names = {one["name"] for address, one in found.items() if ".all[" in address}
    assert names == {getattr(SETTINGS, field) for field in Settings.model_fields if field.endswith("_bucket")}
    [notification] = of_type("plain", "google_storage_notification").values()
    assert notification["bucket"] == SETTINGS.uploads_bucket
    assert topic_of(notification["topic"]) == "uploads"
    assert (notification["payload_format"], notification["event_types"]) == (
        "JSON_API_V1",
        ["OBJECT_FINALIZE"],
    )


def test_secrets() -> None:
    """Those that the settings name without being told, and no others; further ones are a variable's."""
    wanted = {SETTINGS.redaction_key, SETTINGS.api_key_hash}
    assert {one["secret_id"] for one in of_type("plain", "google_secret_manager_secret").values()} == wanted
    more = {one["secret_id"] for one in of_type("everything", "google_secret_manager_secret").values()}
    assert more == wanted | {"smtp-password", "docpw-hr"}


@pytest.mark.parametrize("run", RUNS)
def test_environments_are_settings(run: str) -> None:
    """Every process starts with what it is given: no variable that is no setting, no value out of bounds."""
    for name, environment in environments(run).items():
        given = {key: value for key, value in environment.items() if key not in {"WORKERS", "THREADS"}}
        read = Settings.from_environment(given)
        assert read.project == PROJECT, name
        assert read.job_name == ("" if run == "no_job" else "long-job")
        assert read.job_location == "europe-west1"


@pytest.mark.parametrize("run", RUNS)
def test_what_deployment_cannot_call_is_asked_by_cloud_run(run: str) -> None:
    """For the page that deployment would ask for; the others start as fast as they can."""
    for service in of_type(run, "google_cloud_run_v2_service").values():
        closed = service["iap_enabled"] or service["ingress"] != "INGRESS_TRAFFIC_ALL"
        [container] = service["template"][0]["containers"]
        probes = [probe["http_get"][0]["path"] for probe in container.get("startup_probe", [])]
        assert probes == ([trial.PAGES[service["name"]]] if closed else []), service["name"]


def test_metrics_leave_out_the_samples_of_deployments() -> None:
    """Every deployment pushes a dead letter, and a bad one fails: neither is to wake anybody."""
    metrics = of_type("plain", "google_logging_metric")
    assert len(metrics) >= 7
    for address, metric in metrics.items():
        ours, _, rest = metric["filter"].partition(") AND ")
        assert ours.startswith('(resource.labels.service_name="analyze" OR '), address
        assert rest.startswith('NOT jsonPayload.message_id:"sample" AND jsonPayload.'), address


def test_functions() -> None:
    """A service for each function that there is, pushed from the topic that the laptop's stack has."""
    assert set(FUNCTIONS) == set(services.SIZES) == set(DEPLOYED)
    assert {name: told["topic"] for name, told in FUNCTIONS.items() if told["topic"]} == provision.PUSHES
    assert {one["name"] for one in of_type("plain", "google_cloud_run_v2_service").values()} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sizes(name: str) -> None:
    """Workers and threads fit the processors, requests the threads, time limits what the code counts on."""
    told = FUNCTIONS[name]
    at_work = told["workers"] * told["threads"]
    assert name in {"api", "console"} or at_work <= told["cpu"]
    assert told["concurrency"] <= at_work
    assert told["reason"]
    assert set(told["max_instances"]) == set(SIZES)
    assert (
        1
        <= told["max_instances"]["small"]
        <= told["max_instances"]["medium"]
        <= told["max_instances"]["large"]
    )
    assert told["timeout"] <= provision.ACK_DEADLINE
    if f"{name}_timeout" in Settings.model_fields:
        assert told["timeout"] >= getattr(SETTINGS, f"{name}_timeout")
    if name == "ingest":
        assert told["concurrency"] == SETTINGS.extract_at_once
        memory = int(told["memory"].removesuffix("Gi")) * 1024**3
        assert memory >= told["concurrency"] * (SETTINGS.extract_memory + SETTINGS.max_bytes) * 1.5


@pytest.mark.parametrize("run", RUNS)
def test_quotas_are_of_what_terraform_makes(run: str) -> None:
    """A size needs what the services and the job of Terraform's plan can take together, and no more."""
    services = of_type(run, "google_cloud_run_v2_service").values()
    jobs = of_type(run, "google_cloud_run_v2_job").values()
    tasks = int(environments(run)["ingest"]["HEADRACE_JOB_TASKS"])
    taken = [(one["template"][0], one["template"][0]["scaling"][0]["max_instance_count"]) for one in services]
    taken += [(one["template"][0]["template"][0], tasks) for one in jobs]
    limits = [(template["containers"][0]["resources"][0]["limits"], count) for template, count in taken]
    made_of = {
        "CpuAllocPerProjectRegion": sum(int(one["cpu"]) * 1000 * count for one, count in limits),
        "MemAllocPerProjectRegion": sum(
            int(one["memory"][:-2]) * BYTES[one["memory"][-2:]] * count for one, count in limits
        ),
        "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion": sum(
            int(one.get("nvidia.com/gpu", 0)) * count for one, count in limits
        ),
    }
    found = needs(SIZE_OF[run], gpu=run == "everything", job=bool(jobs))
    assert {need.quota: need.amount for need in found} == {
        quota: amount for quota, amount in made_of.items() if amount
    }


def test_costs_are_of_these_sizes() -> None:
    """What a document is said to cost is counted for the processors and memory that are given."""
    for name, priced in (("ingest", cost.INGEST), ("analyze", cost.ANALYZE)):
        told = FUNCTIONS[name]
        assert (told["cpu"], told["memory"]) == (priced.vcpus, f"{priced.gib:g}Gi")
        assert told["concurrency"] == priced.places
    for run, priced in (("plain", cost.JOB), ("everything", cost.GPU_JOB)):
        [job] = of_type(run, "google_cloud_run_v2_job").values()
        [container] = job["template"][0]["template"][0]["containers"]
        wanted = {"cpu": str(priced.vcpus), "memory": f"{priced.gib:g}Gi"}
        wanted |= {"nvidia.com/gpu": "1"} if priced.gpu else {}
        assert container["resources"][0]["limits"] == wanted


def test_build() -> None:
    """The trigger gives what cloudbuild.yaml asks for, in the name of the account that deployment names."""
    text = (INFRA.parent / "cloudbuild.yaml").read_text()
    asked = set(re.findall(r"^  (_[A-Z_]+):", text, re.MULTILINE))
    [trigger] = of_type("everything", "google_cloudbuild_trigger").values()
    assert set(trigger["substitutions"]) == asked
    assert trigger["filename"] == "cloudbuild.yaml"
    assert f"\n  _REGION: {trigger['location']}\n" in text
    builder = made("everything")["google_service_account.builder"]["values"]["account_id"]
    assert builder == BUILDER
    assert f"serviceAccounts/{builder}@" in text
    # Only GitHub's triggers take this, and the repository may lie elsewhere.
    assert not trigger["include_build_logs"]


def test_job() -> None:
    """Under the name that the settings have, with the time that the laptop's has."""
    [job] = of_type("plain", "google_cloud_run_v2_job").values()
    assert job["name"] == SETTINGS.job_name
    [task] = job["template"][0]["template"]
    assert task["timeout"] == f"{provision.JOB_TIMEOUT}s"


def test_results_have_the_fields_that_views_read() -> None:
    """A view reads every field of a message, and none that there is not."""
    text = (INFRA / "views" / "runs.sql").read_text()
    read = set(re.findall(r"'\$\.(\w+)'", text)) | set(re.findall(r"data\.(\w+)", text))
    assert read == set(ResultMessage.model_fields)
    made_of = {one["table_id"] for one in of_type("plain", "google_bigquery_table").values()}
    assert made_of == {"results", *(path.stem for path in (INFRA / "views").glob("*.sql"))}
    for path in (INFRA / "views").glob("*.sql"):
        assert set(re.findall(r"\$\{dataset\}\.(\w+)`", path.read_text())) <= made_of


def test_views_wait_for_what_they_read() -> None:
    """BigQuery refuses a view of what is not there: in an empty project each must come after its sources."""
    text = (INFRA / "bigquery.tf").read_text()
    declared = r'^resource "google_bigquery_table" "(\w+)" \{\n(.*?)^\}'
    blocks = dict(re.findall(declared, text, re.MULTILINE | re.DOTALL))
    block_of = {
        one["table_id"]: address.split(".")[1].partition("[")[0]
        for address, one in of_type("plain", "google_bigquery_table").items()
    }
    for path in (INFRA / "views").glob("*.sql"):
        own = block_of[path.stem]
        read = {block_of[name] for name in re.findall(r"\$\{dataset\}\.(\w+)`", path.read_text())}
        waits = re.search(r"^  depends_on = \[(.+)\]$", blocks[own], re.MULTILINE)
        assert waits is not None, path.stem
        assert read, path.stem
        assert own not in read, path.stem
        assert read <= set(re.findall(r"google_bigquery_table\.(\w+)", waits[1])), path.stem


def test_made_is_not_empty() -> None:
    """The runs made something: otherwise much of the above would hold of nothing."""
    for run in RUNS:
        assert len(made(run)) > 100
