"""Services, jobs and deliveries: accounts, images, variables, ingress, tokens and where failures end."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud.run_v2 import Job, Service
from google.pubsub_v1 import Subscription

from cli.security.delivery import CALLERS, TRANSIT, UNDELIVERED, judge_subscription
from cli.security.policies import PUBLIC, ROLES, Binding
from cli.security.services import (
    ABUSE,
    ACCOUNTS,
    IMAGES,
    INGRESS,
    UNPINNED,
    environment,
    judge_callers,
    judge_encryption,
    judge_service,
    judge_shared_accounts,
)

WHERE = "projects/p/locations/europe-west4"
DIGEST = "sha256:" + "a" * 64
OWN = "headrace-ingest@p.iam.gserviceaccount.com"


def container(image: str = f"eu.example/ingest@{DIGEST}", *env: dict[str, Any]) -> dict[str, Any]:
    return {"image": image, "env": list(env)}


def service(name: str = "ingest", **changed: Any) -> Service:
    """One that is in order but for what is changed."""
    template = {"service_account": OWN, "containers": [container()], "scaling": {"max_instance_count": 5}}
    ingress = changed.pop("ingress", "INGRESS_TRAFFIC_INTERNAL_ONLY")
    return Service(name=f"{WHERE}/services/{name}", template=template | changed, ingress=ingress)


def job(**changed: Any) -> Job:
    template = {"service_account": OWN, "containers": [container()]} | changed
    return Job(name=f"{WHERE}/jobs/long-job", template={"template": template})


def found(run: Service | Job) -> list[tuple[str, str, str | None]]:
    return [(one.check, one.detail, one.fix) for one in judge_service(run) if one.status != "ok"]


@pytest.mark.parametrize("run", [service(), job()], ids=["service", "job"])
def test_one_that_is_in_order_has_no_complaints(run: Service | Job) -> None:
    """And each question has its answer."""
    checks = [one.check for one in judge_service(run)]
    assert found(run) == []
    assert set(checks) == {ACCOUNTS, IMAGES, UNPINNED, *([INGRESS] if isinstance(run, Service) else [])}


@pytest.mark.parametrize(
    "account", ["", "1-compute@developer.gserviceaccount.com", "p@appspot.gserviceaccount.com"]
)
def test_an_account_that_other_work_shares_is_wrong(account: str) -> None:
    """Unset means Compute Engine's."""
    for run, kind, name in (
        (service(service_account=account), "services", "ingest"),
        (job(service_account=account), "jobs", "long-job"),
    ):
        [(check, detail, fix)] = found(run)
        assert check == ACCOUNTS
        assert (account or "the default account") in detail
        assert fix == f"gcloud run {kind} update {name} --region=europe-west4 --service-account=ITS_OWN"


def test_two_services_of_one_account_are_told() -> None:
    """What one may do, the other may too."""
    shared = judge_shared_accounts([("ingest", OWN), ("api", "api@p"), ("analyze", OWN)])
    assert (shared.status, shared.detail) == (
        "warning",
        f"Several run as one account: analyze, ingest as {OWN}.",
    )
    assert judge_shared_accounts([("ingest", OWN), ("api", "api@p"), ("ingest", OWN)]).status == "ok"
    assert judge_shared_accounts([]).status == "ok"


@pytest.mark.parametrize("image", ["eu.example/ingest:latest", "eu.example/ingest", "eu.example/ingest:1.2"])
def test_an_image_that_may_change_is_told(image: str) -> None:
    """Any tag may be moved."""
    [(check, detail, fix)] = found(service(containers=[container(image)]))
    assert check == IMAGES
    assert image in detail
    assert fix == "gcloud run services update ingest --region=europe-west4 --image=NAME@sha256:DIGEST"


def secret(version: str) -> dict[str, Any]:
    return {"name": "WORD", "value_source": {"secret_key_ref": {"secret": "word", "version": version}}}


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        (secret("latest"), "WORD reads version latest of word"),
        (secret(""), "WORD reads version unset of word"),
        (secret("7"), None),
        ({"name": "OPENAI_API_KEY", "value": "sk-1"}, "OPENAI_API_KEY holds its value in plain sight"),
        ({"name": "DB_PASSWORD", "value": "x"}, "DB_PASSWORD holds its value in plain sight"),
        ({"name": "TOKEN", "value": "x"}, "TOKEN holds its value in plain sight"),
        ({"name": "DB_PASSWORD", "value": ""}, None),
        ({"name": "MONKEY", "value": "x"}, None),
        ({"name": "TOKENIZERS_PARALLELISM", "value": "x"}, None),
        # Names of secrets and versions, not their values.
        ({"name": "HEADRACE_REDACTION_KEY", "value": "redaction-key"}, None),
        ({"name": "HEADRACE_API_KEY_HASH_VERSION", "value": "3"}, None),
        (
            {"name": "FIRESTORE_EMULATOR_HOST", "value": "h:1"},
            "FIRESTORE_EMULATOR_HOST points it at an emulator",
        ),
    ],
)
def test_a_secret_in_a_variable_is_wrong_unless_pinned(variable: dict[str, Any], named: str | None) -> None:
    """What it holds is not shown."""
    complaints = found(service(containers=[container(f"i@{DIGEST}", variable)]))
    if named is None:
        assert complaints == []
        return
    [(check, detail, fix)] = complaints
    assert check == UNPINNED
    assert detail == f"ingest: {named}."
    assert str(fix).count("gcloud run services update ingest --region=europe-west4 --")
    assert "sk-1" not in detail


@pytest.mark.parametrize(
    ("run", "command"), [(service(), "services update ingest"), (job(), "jobs update long-job")]
)
def test_the_key_of_an_image_is_set_by_the_command_of_its_kind(run: Service | Job, command: str) -> None:
    """In its region."""
    found = judge_encryption(run, required=True)
    assert (found.status, found.fix) == ("wrong", f"gcloud run {command} --region=europe-west4 --key=KEY")
    assert judge_encryption(run, required=False).status == "ok"


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([], "/keys/word reads version latest of word"),
        ([{"path": "key", "version": "latest"}], "/keys/key reads version latest of word"),
        ([{"path": "key", "version": ""}], "/keys/key reads version unset of word"),
        ([{"path": "key", "version": "7"}], None),
    ],
)
def test_a_secret_in_a_file_is_wrong_unless_pinned(items: list[dict[str, str]], named: str | None) -> None:
    """A volume that names no version has the latest."""
    volumes = [{"name": "keys", "secret": {"secret": "projects/1/secrets/word", "items": items}}]
    containers = [container() | {"volume_mounts": [{"name": "keys", "mount_path": "/keys"}]}]
    for run, command in (
        (service(containers=containers, volumes=volumes), "services update ingest"),
        (job(containers=containers, volumes=volumes), "jobs update long-job"),
    ):
        if named is None:
            assert found(run) == []
            continue
        [(check, detail, fix)] = found(run)
        assert (check, detail.partition(": ")[2]) == (UNPINNED, f"{named}.")
        file = named.partition(" ")[0]
        assert fix == f"gcloud run {command} --region=europe-west4 --update-secrets={file}=word:NUMBER"


def test_volumes_without_secrets_are_no_matter() -> None:
    """Such as those of Cloud Storage, or in memory."""
    volumes = [{"name": "scratch", "empty_dir": {}}, {"name": "models", "gcs": {"bucket": "b"}}]
    assert found(service(volumes=volumes)) == []


def callers(run: Service | Job, *granted: Binding) -> list[tuple[str, str, str | None]]:
    """Check, status and fix."""
    judged = judge_callers(run, list(granted), {OWN: {"ingest"}})
    return [(one.check, one.status, one.fix) for one in judged]


def test_a_service_whose_callers_are_not_asked_for_is_open() -> None:
    """Its policy says nothing then; what that has besides is told too."""
    run = service("ingest")
    assert callers(run) == [(PUBLIC, "ok", None)]
    run.invoker_iam_disabled = True
    closes = "gcloud run services update ingest --region=europe-west4 --invoker-iam-check"
    assert callers(run) == [(PUBLIC, "wrong", closes)]
    wide = Binding("roles/run.admin", ("allUsers",))
    revoke = "gcloud run services remove-iam-policy-binding ingest --region=europe-west4"
    assert callers(run, wide) == [
        (PUBLIC, "wrong", closes),
        (PUBLIC, "wrong", f"{revoke} --member=allUsers --role=roles/run.admin"),
    ]


def test_the_api_may_let_everybody_call_either_way() -> None:
    """By its policy, or by not asking: it asks for a key."""
    run = service("api")
    run.invoker_iam_disabled = True
    [found] = judge_callers(run, [], {})
    assert (found.status, found.detail) == ("ok", "api: everybody may call it; it asks for a key")


def test_who_may_start_the_job_is_told() -> None:
    """Nobody who is not named, and no account of Headrace's by a role that may change it."""
    revoke = "gcloud run jobs remove-iam-policy-binding long-job --region=europe-west4"
    wide = Binding("roles/run.developer", (f"serviceAccount:{OWN}",))
    assert callers(job(), wide) == [
        (PUBLIC, "ok", None),
        (ROLES, "warning", f"{revoke} --member=serviceAccount:{OWN} --role=roles/run.developer"),
    ]
    [(check, status, _)] = callers(job(), Binding("roles/run.invoker", ("allUsers",)))
    assert (check, status) == (PUBLIC, "wrong")


def test_every_container_is_looked_at() -> None:
    """One beside the main one as well."""
    bad = container("beside:1", {"name": "TOKEN", "value": "x"})
    assert [check for check, _, _ in found(service(containers=[container(), bad]))] == [IMAGES, UNPINNED]


@pytest.mark.parametrize(
    ("name", "ingress", "status"),
    [
        ("ingest", "INGRESS_TRAFFIC_ALL", "warning"),
        ("ingest", "INGRESS_TRAFFIC_UNSPECIFIED", "warning"),
        ("ingest", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "ok"),
        ("api", "INGRESS_TRAFFIC_ALL", "ok"),
        ("api", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "ok"),
    ],
)
def test_only_the_api_takes_calls_from_the_internet(name: str, ingress: str, status: str) -> None:
    """Pub/Sub of the same project counts as internal."""
    [one] = [one for one in judge_service(service(name, ingress=ingress)) if one.check == INGRESS]
    assert one.status == status


@pytest.mark.parametrize(("most", "status"), [(0, "warning"), (5, "ok")])
def test_the_api_has_a_limit_of_instances(most: int, status: str) -> None:
    """Of the functions that Pub/Sub calls nobody is asked for one."""
    scaling = {"max_instance_count": most}
    [one] = [one for one in judge_service(service("api", scaling=scaling)) if one.check == ABUSE]
    assert one.status == status
    assert not [one for one in judge_service(service("ingest", scaling=scaling)) if one.check == ABUSE]


def test_variables_are_read_of_services_and_jobs() -> None:
    """Those by secrets have no value here."""
    containers = [container("i", {"name": "A", "value": "1"}, secret("1"))]
    assert environment(service(containers=containers)) == {"A": "1"}
    assert environment(job(containers=containers)) == {"A": "1"}


def subscription(topic: str = "uploads", **fields: Any) -> Subscription:
    in_order: dict[str, Any] = {
        "name": "projects/p/subscriptions/ingest",
        "topic": f"projects/p/topics/{topic}",
        "push_config": {
            "push_endpoint": "https://ingest.example/",
            "oidc_token": {"service_account_email": "pusher@p"},
        },
        "dead_letter_policy": {"dead_letter_topic": "projects/p/topics/dead-letters"},
    }
    return Subscription(in_order | fields)


@pytest.mark.parametrize(
    ("found", "cloud", "expected"),
    [
        (subscription(), True, {CALLERS: "ok", TRANSIT: "ok", UNDELIVERED: "ok"}),
        (
            subscription(push_config={"push_endpoint": "https://x/"}),
            True,
            {CALLERS: "wrong", TRANSIT: "ok", UNDELIVERED: "ok"},
        ),
        (
            subscription(push_config={"push_endpoint": "http://x/"}),
            True,
            {CALLERS: "wrong", TRANSIT: "wrong", UNDELIVERED: "ok"},
        ),
        (
            subscription(push_config={"push_endpoint": "http://127.0.0.1:1/"}),
            False,
            {CALLERS: "unknown", TRANSIT: "unknown", UNDELIVERED: "ok"},
        ),
        (subscription(dead_letter_policy={}), True, {CALLERS: "ok", TRANSIT: "ok", UNDELIVERED: "wrong"}),
        (subscription(dead_letter_policy={}), False, {CALLERS: "ok", TRANSIT: "ok", UNDELIVERED: "wrong"}),
        (
            subscription("dead-letters", dead_letter_policy={}),
            True,
            {CALLERS: "ok", TRANSIT: "ok", UNDELIVERED: "ok"},
        ),
        (subscription("results", push_config={}, dead_letter_policy={}), True, {UNDELIVERED: "ok"}),
    ],
)
def test_a_subscription_is_signed_encrypted_and_loses_nothing(
    found: Subscription, expected: dict[str, str], *, cloud: bool
) -> None:
    """On a local stack there are no tokens and no TLS, which is said, and not taken for well."""
    judged = list(judge_subscription(found, cloud=cloud))
    assert {one.check: one.status for one in judged} == expected
    assert all(bool(one.fix) == (one.status == "wrong") for one in judged)
    assert all("--project=p" in str(one.fix) for one in judged if one.fix)
