"""`headrace doctor --security`: the questions of the checklist in docs/security.md, asked of the stack.

What a local stack does not have, and what an account may not read, is said to be unknown, never well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from google.cloud.run_v2 import Job

from cli.diagnosis.findings import Finding
from cli.security import buckets as storing
from cli.security import (
    credentials,
    delivery,
    elsewhere,
    entrance,
    logs,
    policies,
    reading,
    services,
    serving,
    stores,
)
from cli.security.delivery import NOT_LOCAL
from cli.security.deployment import Deployment
from shared.api.keys import parse_hashes
from shared.documents.store import now
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.platform.errors import SetupError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.diagnosis.findings import Status, Target


@dataclass(frozen=True)
class Rules:
    """What is asked for beyond what is right for everybody, and what only whoever asks can know."""

    own_keys: bool = False
    """Whether everything must be encrypted by a key of the customer's."""
    secret_days: int = credentials.SECRET_DAYS
    account_key_days: int = credentials.ACCOUNT_KEY_DAYS
    domain: str | None = None
    """Under which a load balancer serves the API."""


class Audit(Deployment):
    """One run of all checks."""

    def __init__(self, target: Target, rules: Rules) -> None:
        """Look at `target` by `rules`."""
        super().__init__(target)
        self.rules = rules

    def checks(self) -> dict[str, Callable[[], Iterator[Finding]]]:
        """By what each asks, for the finding that says that it could not."""
        return {
            policies.ROLES: self.project,
            credentials.ACCOUNT_KEYS: self.account_keys,
            storing.ACCESS: self.buckets,
            credentials.SECRETS: self.secrets,
            credentials.API_KEYS: self.api_keys,
            delivery.CALLERS: self.subscriptions,
            "topics": self.topics,
            services.IMAGES: self.services,
            storing.ENCRYPTION: self.elsewhere,
            entrance.ASKED: self.without_key,
            stores.DATABASE: self.database,
            stores.RETENTION: self.retention,
            stores.MODEL: self.model,
            logs.LOGGED: self.logs,
        }

    def project(self) -> Iterator[Finding]:
        """Who has which role on the whole project."""
        if not self.target.cloud:
            for name in (policies.ROLES, policies.READERS):
                yield _elsewhere(name, "policies of access")
            return
        yield from policies.judge_project(settings().project, reading.project_policy(), self._ours())

    def account_keys(self) -> Iterator[Finding]:
        """Of every account of the project: whoever has one of another's need not break into Headrace's."""
        if not self.target.cloud:
            yield _elsewhere(credentials.ACCOUNT_KEYS, "accounts of services")
            return
        for account in sorted({*self._accounts(), *reading.accounts()}):
            keys = reading.account_keys(account)
            yield from credentials.judge_account_keys(account, keys, now(), self.rules.account_key_days)

    def buckets(self) -> Iterator[Finding]:
        """Access, encryption and deletion of each."""
        if not self.target.cloud:
            yield _elsewhere(policies.PUBLIC, "policies of access")
            yield _elsewhere(storing.ACCESS, "access lists and their prevention")
            yield _elsewhere(storing.ENCRYPTION, "encryption at rest")
        for bucket in chain(reading.buckets(), reading.sources() if self.target.cloud else ()):
            found = storing.facts(bucket)
            yield from storing.judge_bucket_deletion(found)
            if not self.target.cloud:
                continue
            yield from storing.judge_bucket_access(found)
            path = f"gs://{found.name}"
            revoke = f"gcloud storage buckets remove-iam-policy-binding {path}"
            granted = reading.bucket_policy(bucket)
            yield from policies.judge_resource("bucket", path, granted, self._ours(), revoke)
            fix = f"gcloud storage buckets update {path} --default-encryption-key=KEY"
            yield storing.judge_key(path, found.key, fix, required=self.rules.own_keys)

    def secrets(self) -> Iterator[Finding]:
        """Versions of each, and who may read it."""
        yield from self._absent(credentials.SECRETS, *serving.READERS)
        programs = [(name, made) for name in serving.READERS for made in self._deployed(name)]
        webhooks, lasting = reading.webhooks(), {made.redaction_key for _, made in programs}
        coming = serving.secrets_read(self._configured(), webhooks)
        for name, used in sorted(serving.secrets_read(programs, webhooks).items()):
            yield from credentials.judge_versions(
                name,
                used,
                reading.versions(name),
                now(),
                self.rules.secret_days,
                lasting=name in lasting,
                coming=coming.get(name, ()),
            )
            if self.target.cloud:
                revoke = f"gcloud secrets remove-iam-policy-binding {name}"
                what, granted = f"secret {name}", reading.secret_policy(name)
                yield from policies.judge_resource("secret", what, granted, self._ours(), revoke)
                fix = f"Make {name} anew with --kms-key-name=KEY"
                key = reading.secret_key(name)
                yield storing.judge_key(what, key, fix, required=self.rules.own_keys)

    def api_keys(self) -> Iterator[Finding]:
        """How many there are, and how old."""
        yield from self._absent(credentials.API_KEYS, services.API)
        for name, pinned in sorted(
            {(made.api_key_hash, made.api_key_hash_version) for made in self._deployed(services.API)}
        ):
            created = {one.name.rpartition("/")[2]: one.create_time for one in reading.versions(name)}
            try:
                hashes = parse_hashes(reading.payload(name, pinned))
            except SetupError as error:
                yield Finding(credentials.API_KEYS, "wrong", error.message, "See headrace doctor")
                continue
            days = self.rules.secret_days
            yield from credentials.judge_api_keys(hashes, created[str(pinned)], now(), days)

    def subscriptions(self) -> Iterator[Finding]:
        """Of each: who calls, over what, and where it ends."""
        for found in reading.subscriptions():
            yield from delivery.judge_subscription(found, cloud=self.target.cloud)

    def topics(self) -> Iterator[Finding]:
        """Who may publish, and by what key they are encrypted."""
        if not self.target.cloud:
            return
        for topic, key in reading.topic_keys().items():
            revoke = f"gcloud pubsub topics remove-iam-policy-binding {topic}"
            what, granted = f"topic {topic}", reading.topic_policy(topic)
            yield from policies.judge_resource("topic", what, granted, self._ours(), revoke)
            fix = f"gcloud pubsub topics update {topic} --topic-encryption-key=KEY"
            yield storing.judge_key(what, key, fix, required=self.rules.own_keys)

    def services(self) -> Iterator[Finding]:
        """Account, image, variables, ingress and callers of each service, and of the job."""
        if not self.target.cloud:
            judged = (services.ACCOUNTS, services.IMAGES, services.UNPINNED, services.INGRESS)
            for name in (*judged, serving.SERVING):
                yield _elsewhere(name, "services")
            return
        running = self._services()
        if not any(services.short(one.name) == services.API for one in running):
            where = f"There are no services in {reading.region()}."
            yield Finding("services", "unknown", where, "HEADRACE_JOB_LOCATION=REGION")
        for one in running:
            if not isinstance(one, Job):
                yield serving.judge_serving(one)
            tasks = self._tasks(services.program(one))
            for task in tasks:
                yield services.judge_encryption(task, required=self.rules.own_keys)
            yield from services.judge_service(one, tasks)
            yield from services.judge_callers(one, reading.run_policy(one.name), self._ours())
        yield services.judge_shared_accounts(
            (services.named(one), services.task(one).service_account) for one in self._tasks()
        )

    def elsewhere(self) -> Iterator[Finding]:
        """By what key images, and what BigQuery has, are encrypted."""
        if self.target.cloud:
            region = services.short(reading.region())
            kept = elsewhere.stores(settings().project, region)
            yield from elsewhere.judge_stores(elsewhere.session(), kept, required=self.rules.own_keys)

    def without_key(self) -> Iterator[Finding]:
        """Ask the API for documents as a stranger."""
        api = self._api()
        addresses = entrance.addresses(api, self.rules.domain) if api else self._local_addresses()
        if api and not addresses:
            yield entrance.unasked()
        close = services.update(api, "--ingress=internal") if api else "stop the stack"
        for address in addresses:
            status = reading.answer_without_key(address)
            yield entrance.judge_answer(address, status, f"Until you know why: {close}")

    def database(self) -> Iterator[Finding]:
        """Firestore's."""
        if not self.target.cloud:
            yield _elsewhere(stores.DATABASE, "protection from deletion")
            return
        found = reading.database()
        yield from stores.judge_database(found)
        fix = "Make a database with a key, and move: docs/security.md, “Encryption”"
        key = found.cmek_config.kms_key_name
        yield storing.judge_key("database", key, fix, required=self.rules.own_keys)

    def retention(self) -> Iterator[Finding]:
        """When results end."""
        yield from self._absent(stores.RETENTION, serving.INGEST)
        for made in self._deployed(serving.INGEST):
            yield stores.judge_retention(made.retention)

    def model(self) -> Iterator[Finding]:
        """Whether the model here is the one that was built, and the one that the services want."""
        try:
            manifest = read_manifest(self.target.model)
            read_verified(self.target.model / MODEL_FILE, manifest.model)
            read_verified(self.target.model / TOKENIZER_FILE, manifest.tokenizer)
        except SetupError as error:
            status: Status = "unknown" if self.target.cloud else "wrong"
            yield Finding(stores.MODEL, status, error.message, "make model")
            return
        yield Finding(
            stores.MODEL, "ok", f"{self.target.model}: its files are those of {manifest.digest[:12]}…"
        )
        if self.target.cloud:
            for name in ("analyze", "api", "ingest"):
                pins = [services.environment(one).get("HEADRACE_MODEL_DIGEST") for one in self._tasks(name)]
                for pin in dict.fromkeys(pins or [None]):
                    yield from stores.judge_pins(manifest.digest, {name: pin})
        elif settings().model_digest:
            yield from stores.judge_pins(manifest.digest, {"this environment": settings().model_digest})

    def logs(self) -> Iterator[Finding]:
        """Whether text has come into them."""
        if self.target.stack is None:
            find = "gcloud logging read '\"WORDS OF A DOCUMENT OF YOURS\"' --limit=1"
            yield Finding(logs.LOGGED, "unknown", "logs in the cloud are not searched from here", find)
            return
        yield from logs.judge_logs(self.target.data / "logs", reading.some_passages())
        yield logs.judge_folder(self.target.data)


def _elsewhere(name: str, what: str) -> Finding:
    return Finding(name, "unknown", f"{what}: {NOT_LOCAL}")
