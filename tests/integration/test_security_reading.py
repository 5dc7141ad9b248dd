"""The audit over real local servers: what they have is read and judged; what they have not is unknown."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import DeadlineExceeded, Forbidden, NotFound, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.run_v2 import Revision, Service

from cli.diagnosis.findings import Finding, Target
from cli.options import MODEL
from cli.security import reading
from cli.security.asking import guarded
from cli.security.audit import Audit, Rules
from cli.security.logs import LOGGED
from local.provision import expected, subscriber
from shared.api.keys import key_hash
from shared.platform import clients
from shared.platform.settings import TOPICS, settings
from tests.integration.pubsub_server import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "headrace-test"
CACHED = (clients.firestore_client, clients.publisher, clients.secrets, settings)


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Firestore, Pub/Sub and Secret Manager, while `shared.platform.clients` makes clients of them."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
        for name in ("firestore", "pubsub", "secretmanager"):
            (folder / name).mkdir()
            server = stack.enter_context(running(name, folder / name))
            variable = "SECRET_MANAGER" if name == "secretmanager" else name.upper()
            patch.setenv(f"{variable}_EMULATOR_HOST", server.address)
        for one in CACHED:
            one.cache_clear()
            stack.callback(one.cache_clear)
        yield


@pytest.fixture(scope="module")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("security")):
        yield


pytestmark = pytest.mark.usefixtures("_servers")


def audit(tmp_path: Path, **rules: Any) -> Audit:
    return Audit(Target(tmp_path, MODEL, None, cloud=False), Rules(**rules))


def complaints(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(one.status, one.detail) for one in findings if one.status != "ok"]


def secret(name: str, *payloads: bytes) -> str:
    """A secret with these versions, in place of what was there."""
    parent, manager = f"projects/{PROJECT}", clients.secrets()
    with suppress(NotFound):
        manager.delete_secret(name=f"{parent}/secrets/{name}")
    made = {"parent": parent, "secret_id": name, "secret": {"replication": {"automatic": {}}}}
    path = manager.create_secret(request=made).name
    for payload in payloads:
        manager.add_secret_version(request={"parent": path, "payload": {"data": payload}})
    return path


def test_versions_of_secrets_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, then one that is out of use, then one that is not there; passwords of documents count too."""
    secret("redaction-key", b"k")
    hashes = secret("api-key-hash", key_hash("one").encode())
    assert complaints(audit(tmp_path).secrets()) == []
    clients.secrets().add_secret_version(request={"parent": hashes, "payload": {"data": b"0" * 64}})
    assert complaints(audit(tmp_path).secrets()) == [
        ("warning", "api-key-hash: version 2 is newer than the one in use.")
    ]
    monkeypatch.setenv("HEADRACE_API_KEY_HASH_VERSION", "2")
    monkeypatch.setenv("HEADRACE_PASSWORDS", '{"hr/": "docpw-hr/1"}')
    settings.cache_clear()
    clients.secrets().disable_secret_version(name=f"{hashes}/versions/1")
    secret("docpw-hr")
    assert complaints(audit(tmp_path).secrets()) == [
        ("wrong", "docpw-hr: version 1, which the settings name, is missing.")
    ]
    monkeypatch.undo()
    settings.cache_clear()


def test_of_the_cloud_that_version_counts_which_serves(tmp_path: Path) -> None:
    """Not the one that is configured since; nothing that either reads is to be disabled."""
    secret("api-key-hash", b"0" * 64, b"1" * 64)

    def api(version: str) -> dict[str, Any]:
        env = [{"name": "HEADRACE_API_KEY_HASH_VERSION", "value": version}]
        return {"containers": [{"image": "i", "env": env}]}

    where = f"projects/{PROJECT}/locations/europe-west4/services"
    made = Audit(Target(tmp_path, MODEL, None, cloud=True), Rules())
    made._running = [
        Service(name=f"{where}/{name}", template=api("2")) for name in ("api", "digest", "ingest")
    ]
    others = [one for one in made._running if not one.name.endswith("/api")]
    expected = {
        "1": ("api-key-hash: version 2 is configured, and what serves does not read it.", "make promote"),
        "2": ("api-key-hash: version 1 is out of use, and still enabled.", "versions disable 1"),
    }
    for version, (detail, fix) in expected.items():
        made._serving = [Revision(name=f"{where}/api/revisions/api-1", **api(version)), *others]
        # Of policies a local server has none: there the check ends.
        found = list(guarded("secret versions", made.secrets))
        [told] = [one for one in found if one.status == "warning"]
        assert told.detail == detail
        assert fix in str(told.fix)


def test_a_secret_that_is_not_there_hides_no_other(tmp_path: Path) -> None:
    """Its version is missing, and those that come after it are judged all the same."""
    path = secret("api-key-hash", b"0" * 64)
    key = secret("redaction-key", b"k")
    clients.secrets().delete_secret(name=path)
    clients.secrets().disable_secret_version(name=f"{key}/versions/1")
    assert complaints(audit(tmp_path).secrets()) == [
        ("wrong", "api-key-hash: version 1, which the settings name, is missing."),
        ("wrong", "redaction-key: version 1, which the settings name, is disabled."),
    ]
    [found] = guarded("API keys", audit(tmp_path).api_keys)
    assert (found.status, found.fix) == ("unknown", "headrace doctor")
    assert "NotFound" in found.detail


def test_keys_of_the_api_are_counted(tmp_path: Path) -> None:
    """Their age is that of the version; their hashes are not shown."""
    hashes = [key_hash(name) for name in ("one", "two")]
    secret("api-key-hash", "\n".join(hashes).encode())
    [found] = audit(tmp_path).api_keys()
    assert (found.status, found.detail) == ("ok", "2 keys, kept as hashes, set 0 days ago")
    secret("api-key-hash", b"hunter2")
    [found] = audit(tmp_path).api_keys()
    assert found.status == "wrong"
    assert "hunter2" not in found.detail


def test_subscriptions_of_headraces_topics_are_read(tmp_path: Path) -> None:
    """Others in the project are not Headrace's to judge; one that loses what fails is wrong."""
    for topic in (*TOPICS, "somebody-elses"):
        clients.publisher().create_topic(name=f"projects/{PROJECT}/topics/{topic}")
    client = subscriber(os.environ["PUBSUB_EMULATOR_HOST"])
    for name in ("ingest", "results"):
        wanted = expected(name, PROJECT)
        if name == "ingest":
            wanted.push_config.push_endpoint = "http://127.0.0.1:9/"
        client.create_subscription(request=wanted)
    other = {
        "name": f"projects/{PROJECT}/subscriptions/other",
        "topic": f"projects/{PROJECT}/topics/somebody-elses",
    }
    client.create_subscription(request=other | {"push_config": {"push_endpoint": "http://127.0.0.1:9/"}})
    assert complaints(audit(tmp_path).subscriptions()) == [
        ("unknown", "ingest: a token that says who calls: not on a local stack"),
        ("unknown", "ingest: TLS: not on a local stack"),
    ]
    ingest = f"projects/{PROJECT}/subscriptions/ingest"
    mask = {"paths": ["dead_letter_policy"]}
    client.update_subscription(request={"subscription": {"name": ingest}, "update_mask": mask})
    assert ("wrong", "ingest: what fails for good is lost.") in complaints(audit(tmp_path).subscriptions())
    assert set(reading.topic_keys().values()) == {""}


def test_what_a_local_stack_has_not_is_unknown(tmp_path: Path) -> None:
    """Never ok, and never wrong: policies, accounts, images, protection from deletion."""
    made = audit(tmp_path)
    for check in (made.project, made.account_keys, made.services, made.database):
        found = list(check())
        assert {one.status for one in found} == {"unknown"}
        assert all(one.detail.endswith("not on a local stack") for one in found)
    [unsearched] = made.logs()  # no stack of Headrace's stands here, so there are no logs to read
    assert (unsearched.check, unsearched.status) == (LOGGED, "unknown")


def test_retention_and_model_are_those_of_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings that a local stack's functions have."""
    assert [one.status for one in audit(tmp_path).retention()] == ["warning"]
    monkeypatch.setenv("HEADRACE_RETENTION", '{"": 30}')
    monkeypatch.setenv("HEADRACE_MODEL_DIGEST", "f" * 64)
    settings.cache_clear()
    assert [one.status for one in audit(tmp_path).retention()] == ["ok"]
    assert [one.status for one in audit(tmp_path).model()] == ["ok", "warning"]
    without = Audit(Target(tmp_path, tmp_path, None, cloud=False), Rules())
    assert [one.status for one in without.model()] == ["wrong"]
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (Forbidden, "roles/iam.securityReviewer, roles/viewer and roles/browser"),
        (NotFound, "headrace doctor"),
        (DeadlineExceeded, "headrace doctor"),
        (ServiceUnavailable, "headrace doctor"),
        (DefaultCredentialsError, "gcloud auth application-default login"),
        (ConnectionRefusedError, "headrace doctor"),
    ],
)
def test_what_could_not_be_asked_is_unknown(error: type[Exception], fix: str) -> None:
    """What was found before stays; the service's words are not repeated, since they may quote anything."""

    def check() -> Iterator[Finding]:
        yield Finding("roles", "wrong", "before")
        raise error("a sentence of a document")

    before, found = guarded("roles", check)
    assert before.detail == "before"
    assert (found.check, found.status) == ("roles", "unknown")
    assert fix in str(found.fix)
    assert "a sentence" not in found.detail


def test_what_a_secret_holds_takes_a_role_of_its_own_to_read() -> None:
    """No role for reading policies covers it."""

    def check() -> Iterator[Finding]:
        yield from ()
        raise Forbidden("no")  # type: ignore[no-untyped-call] # not annotated

    [found] = guarded("API keys", check)
    assert found.status == "unknown"
    assert "roles/secretmanager.secretAccessor on the secret" in str(found.fix)
