"""`headrace doctor`: check a stack, local or in the cloud, and say how to fix what is wrong.

The checks run in an order in which early findings explain later ones. Each only reads.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from http.client import HTTPException
from itertools import chain, islice
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from google.api_core.exceptions import FailedPrecondition, NotFound
from rich.text import Text

from cli.connect import (
    CALL_SECONDS,
    NotRead,
    adopt,
    call_errors,
    connect,
    explain,
    is_local,
    read_own_stack,
    short,
)
from cli.render import terminal
from cli.say import print_json, say
from local.processes import LOW_BYTES, READY_SECONDS, accepts, port_taken
from local.provision import PUSHES, SUBSCRIPTIONS, expected, subscriber
from local.pubsub.names import OPEN_PUSHES
from local.services import HOST, ON_DEMAND, SIZES
from shared.api.findings import Finding, stored
from shared.api.keys import parse_hashes
from shared.documents.delegation import job_path
from shared.documents.store import now
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.intake.reconciliation import GRACE, lost
from shared.platform.clients import (
    LIMITS,
    firestore_client,
    insecure_channel,
    jobs,
    publisher,
    secrets,
    storage_client,
)
from shared.platform.errors import SetupError
from shared.platform.settings import PREFIX, TOPICS, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from google.pubsub_v1 import Subscription
    from rich.console import Console

    from shared.api.findings import Status

    Check = Callable[["Target"], Iterator["Finding"]]

STYLES = {"ok": "green", "warning": "yellow", "wrong": "red", "unknown": "cyan"}
INDENT = " " * 26
COMPARED = ("topic", "ack_deadline_seconds", "filter", "message_retention_duration", "dead_letter_policy")
QUIET_SECONDS = 10.0
"""A function that does not answer and has logged nothing for this long is not just busy."""
DELIVERY_SECONDS = 60.0
"""A delivery that has been open for longer is reported: most are answered within a few seconds."""
SCARCE_BYTES = 512 * 1024 * 1024
"""Free space below which the doctor warns; below `LOW_BYTES` something is wrong already."""
MEGABYTE = 1_000_000
UPLOADS_PAGES = 10
"""Pages of the uploads bucket that are looked at."""
UPLOADS_SHOWN = 5
"""Names of files without a document that are printed."""


@dataclass(frozen=True)
class Target:
    """The stack that is checked."""

    data: Path
    """The local stack's directory."""
    model: Path
    stack: dict[str, Any] | None
    """`stack.json`; None for a project in the cloud, and where only emulators of the user's are running."""
    cloud: bool
    settings_read: bool = True
    """Whether the settings are those of the functions, and not only of this environment."""

    def repair(self, command: str = "terraform -chdir=infra apply") -> str:
        """Return how to create what is missing: `command`; a local stack creates all at start."""
        return command if self.cloud else f"Stop the stack, then: headrace up --data {quote(str(self.data))}"


def examine(data: Path, project: str | None, model: Path) -> Iterator[Finding]:
    """Yield every finding."""
    target, finding = find_target(data, project, model)
    yield finding
    if target is None:
        return
    if target.cloud:
        deployment = check_deployment()
        yield deployment
        target = replace(target, settings_read=deployment.status == "ok")
    for service, checks in CHECKS.items():
        findings = chain.from_iterable(check(target) for check in checks)
        yield from guarded(service, findings, "wrong", "roles/viewer")


def find_target(data: Path, project: str | None, model: Path) -> tuple[Target | None, Finding]:
    """Connect, and return what to check; None if nothing can be asked, with a finding that says why."""
    try:
        connect(data, project)
    except SetupError as error:
        return None, Finding("stack", "wrong", error.message, f"headrace up --data {quote(str(data))}")
    try:
        name = settings().project
    except SetupError as error:
        return None, Finding("settings", "wrong", error.message, "Correct or remove the variable.")
    target = Target(data, model, read_own_stack(data), cloud=not is_local())
    return target, Finding("settings", "ok", f"project {name}")


def guarded(name: str, findings: Iterable[Finding], status: Status, permission: str) -> Iterator[Finding]:
    """Yield findings; if the calls behind them fail, also one of this name and status that says why."""
    try:
        yield from findings
    except SetupError as error:
        yield Finding(name, "wrong", error.message, "Correct or remove the variable of the service.")
    except Exception as error:
        if not isinstance(error, (*call_errors(), OSError)):
            raise
        problem = explain(error, permission)
        yield Finding(name, status, problem.message, problem.hint)


def report(findings: Iterator[Finding], *, as_json: bool) -> None:
    """Print the findings as they come; exit with status 1 if something is wrong."""
    printed, console = [], terminal()
    for finding in findings:
        printed.append(finding)
        if not as_json:
            _print(console, finding)
    if as_json:
        print_json([asdict(finding) for finding in printed])
    else:
        wrong, warnings, unknown = (
            sum(finding.status == kind for finding in printed) for kind in ("wrong", "warning", "unknown")
        )
        verdict = f"{wrong} wrong, {warnings} to look at" if wrong or warnings else "all is well"
        console.print()
        say(verdict + (f", as far as could be asked: {unknown} unknown" if unknown else ""))
    if any(finding.status == "wrong" for finding in printed):
        raise click.exceptions.Exit(1)


def _print(console: Console, finding: Finding) -> None:
    status = (f"{finding.status:<8}", STYLES[finding.status])
    console.print(Text.assemble(status, f" {finding.check:<16} {finding.detail}"), soft_wrap=True)
    if finding.fix:
        console.print(Text(f"{INDENT}→ {finding.fix}"), soft_wrap=True)


def check_deployment() -> Finding:
    """Return whether the functions' settings can be read; from then on they are this process's."""
    try:
        return Finding("deployment", "ok", f"settings of ingest, {adopt()}")
    except NotRead as error:
        status: Status = "unknown" if error.code == "forbidden" else "wrong"
        return Finding("deployment", status, error.message, error.hint)


def check_model(target: Target) -> Iterator[Finding]:
    """Yield whether the files of the model are those that were built."""
    try:
        manifest = read_manifest(target.model, settings().model_digest)
        read_verified(target.model / MODEL_FILE, manifest.model)
        read_verified(target.model / TOKENIZER_FILE, manifest.tokenizer)
    except SetupError as error:
        # A deployed function has its model in its image; without one here, stored results are not compared.
        yield Finding("model", "warning" if target.cloud else "wrong", error.message, "make model")
    else:
        yield Finding("model", "ok", f"{manifest.name}, {manifest.digest[:12]}…, in {target.model}")


def check_processes(target: Target) -> Iterator[Finding]:
    """Yield whether every process answers."""
    if target.stack is None:
        return
    processes = target.stack["processes"]
    silent = [process for process in processes if not _answers(process)]
    for process in silent:
        detail = f"{process['name']} (process {process['pid']}) does not answer within {CALL_SECONDS:.0f} s"
        restart = f"kill -9 {process['pid']} (the stack starts it again); its log is {process['log']}"
        if _silent_for(process) < QUIET_SECONDS:
            yield Finding(
                "processes", "warning", f"{detail}, but is at work.", f"If that does not change: {restart}"
            )
        else:
            yield Finding("processes", "wrong", f"{detail}.", restart)
    if not silent:
        yield Finding("processes", "ok", ", ".join(process["name"] for process in processes))


def _answers(process: dict[str, Any]) -> bool:
    if process["name"] in ON_DEMAND:
        # A connection would start it; where that has just been done, nobody listens until it has loaded.
        return port_taken(process["port"]) or _silent_for(process) < READY_SECONDS
    if process["name"] not in SIZES:
        return accepts(HOST, process["port"])
    try:
        # functions-framework answers this path itself, so no event is handled.
        with urllib.request.urlopen(f"http://{HOST}:{process['port']}/robots.txt", timeout=CALL_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (HTTPException, OSError):
        return False


def _silent_for(process: dict[str, Any]) -> float:
    """Return the seconds since a process's last line of log, or its start; infinite if it never started."""
    log = Path(process["log"])
    return time.time() - log.stat().st_mtime if log.exists() else math.inf


def check_deliveries(target: Target) -> Iterator[Finding]:
    """Yield each message that a function has not answered for a long time."""
    processes = {process["name"]: process for process in target.stack["processes"]} if target.stack else {}
    if "pubsub" not in processes:
        return
    long = [push for push in _open_pushes(processes["pubsub"]["port"]) if push["seconds"] > DELIVERY_SECONDS]
    for push in long:
        function, attributes = short(push["subscription"]), push["attributes"]
        about = attributes.get("objectId") or attributes.get("document") or attributes.get("kind")
        detail = (
            f"{function} has not answered message {push['message_id']}"
            f"{f' ({about})' if about else ''} for {push['seconds']:.0f} s; others are delivered meanwhile."
        )
        pid = processes.get(function, {}).get("pid")
        fix = pid and f"If it hangs: kill -9 {pid} (the stack starts it again; the message comes again)"
        yield Finding("deliveries", "warning", detail, fix)
    if not long:
        yield Finding("deliveries", "ok", f"none has been open for longer than {DELIVERY_SECONDS:.0f} s")


def _open_pushes(port: int) -> list[dict[str, Any]]:
    from google.api_core.grpc_helpers import wrap_errors
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.struct_pb2 import ListValue

    with insecure_channel(f"{HOST}:{port}") as channel:
        call = wrap_errors(  # type: ignore[no-untyped-call]
            channel.unary_unary(OPEN_PUSHES, Empty.SerializeToString, ListValue.FromString)
        )
        pushes: list[dict[str, Any]] = MessageToDict(call(Empty(), timeout=CALL_SECONDS))
    return pushes


def check_disk(target: Target) -> Iterator[Finding]:
    """Yield whether there is room for the stack's data and for the functions' temporary files."""
    if target.stack is None:
        return
    places = {place.stat().st_dev: place for place in (Path(tempfile.gettempdir()), target.data)}
    for place in places.values():
        free = shutil.disk_usage(place).free
        detail = f"{free / MEGABYTE:,.0f} MB are free for {place}"
        if free < LOW_BYTES:
            fix = "Make room: uploads and documents wait until then, and nothing is lost"
            yield Finding("disk", "wrong", f"{detail}: the disk is full or nearly so.", fix)
        elif free < SCARCE_BYTES:
            yield Finding("disk", "warning", f"{detail}.", "Make room before it is full")
        else:
            yield Finding("disk", "ok", detail)


def _check_known(check: str, target: Target, *names: str) -> Finding | None:
    """Return that the expected names are unknown if nobody set them: the defaults are a laptop's."""
    if target.settings_read or set(names) <= settings().model_fields_set:
        return None
    variables = " ".join(f"{PREFIX}{name.upper()}=…" for name in names)
    detail = "What there should be is not known without the settings of the functions."
    return Finding(check, "unknown", detail, f"As above, or set {variables}")


def check_secrets(target: Target) -> Iterator[Finding]:
    """Yield whether each secret has its pinned version with a usable value, which is not shown."""
    if unknown := _check_known("secrets", target, "redaction_key_version", "api_key_hash_version"):
        yield unknown
        return
    project = settings().project
    for name, version in (
        (settings().redaction_key, settings().redaction_key_version),
        (settings().api_key_hash, settings().api_key_hash_version),
    ):
        fix = target.repair(f"gcloud secrets versions add {name} --project={project} --data-file=FILE")
        path = f"projects/{project}/secrets/{name}/versions/{version}"
        try:
            payload = bytes(secrets().access_secret_version(name=path, **LIMITS).payload.data)
            if name == settings().api_key_hash:
                parse_hashes(payload)
            problem = None if payload else f"{name} is empty."
        except NotFound:
            problem = f"{name} has no version {version}."
        except FailedPrecondition:
            problem = f"Version {version} of {name} is disabled or destroyed."
            enable = f"gcloud secrets versions enable {version} --secret={name} --project={project}"
            fix = f"Deploy with another version (docs/security.md), or if this one did not leak: {enable}"
        except SetupError as error:
            problem = error.message
        if problem:
            yield Finding("secrets", "wrong", problem, fix)
        else:
            yield Finding("secrets", "ok", f"{name}, version {version}")


def check_buckets(target: Target) -> Iterator[Finding]:
    """Yield whether the buckets exist."""
    for name in (settings().uploads_bucket, settings().work_bucket):
        if storage_client().lookup_bucket(name, **LIMITS) is None:
            yield Finding("buckets", "wrong", f"There is no bucket {name}.", target.repair())
        else:
            yield Finding("buckets", "ok", name)


def check_topics(target: Target) -> Iterator[Finding]:
    """Yield whether the topics exist."""
    missing = []
    for topic in TOPICS:
        try:
            publisher().get_topic(topic=f"projects/{settings().project}/topics/{topic}", **LIMITS)
        except NotFound:
            missing.append(topic)
    if missing:
        yield Finding("topics", "wrong", f"Missing: {', '.join(missing)}.", target.repair())
    else:
        yield Finding("topics", "ok", ", ".join(TOPICS))


def check_subscriptions(target: Target) -> Iterator[Finding]:
    """Yield whether each topic is delivered as `local.provision` makes it, and so the same in the cloud."""
    from google.pubsub_v1 import SubscriberClient

    host = os.environ.get("PUBSUB_EMULATOR_HOST")
    client = subscriber(host) if host else SubscriberClient()
    for name, topic in SUBSCRIPTIONS.items():
        wanted = expected(name, settings().project)
        try:
            subscription = client.get_subscription(subscription=wanted.name, **LIMITS)
        except NotFound:
            detail = f"{name}: missing, so nothing of the topic {topic} is delivered."
            yield Finding("subscriptions", "wrong", detail, target.repair())
            continue
        if differences := "; ".join(_differences(wanted, subscription, target)):
            yield Finding("subscriptions", "wrong", f"{name}: {differences}.", target.repair())
        else:
            endpoint = subscription.push_config.push_endpoint or "pulled"
            yield Finding("subscriptions", "ok", f"{name}: {endpoint}")


def _differences(wanted: Subscription, subscription: Subscription, target: Target) -> Iterator[str]:
    for field in COMPARED:
        if getattr(wanted, field) != getattr(subscription, field):
            yield f"{field} is {_shown(getattr(subscription, field))}, not {_shown(getattr(wanted, field))}"
    if wanted.retry_policy:
        # How long a backoff fits differs: minutes of outage on a laptop, hours in the cloud.
        if not subscription.retry_policy:
            yield "it has no retry policy, so what is refused comes again at once"
        elif not target.cloud and subscription.retry_policy != wanted.retry_policy:
            yield "its backoff differs"
    function, endpoint = short(wanted.name), subscription.push_config.push_endpoint
    if function not in PUSHES:
        return
    if not endpoint:
        yield f"it is not pushed to {function}"
    elif target.stack is not None:
        ports = {process["name"]: process["port"] for process in target.stack["processes"]}
        if endpoint != f"http://127.0.0.1:{ports[function]}/":
            yield f"it is pushed to {endpoint}, where {function} does not listen"


def _shown(value: object) -> str:
    return " ".join(str(value).split()) or "unset"


def check_job(target: Target) -> Iterator[Finding]:
    """Yield whether the job for long documents exists, where the settings name one."""
    if unknown := _check_known("job", target, "job_name", "job_location"):
        yield unknown
        return
    if not settings().job_name:
        yield Finding("job", "ok", "none: what is too long for a function is rejected")
        return
    try:
        jobs().get_job(name=job_path(), **LIMITS)
    except NotFound:
        yield Finding("job", "wrong", f"There is no {job_path()}.", target.repair())
    else:
        yield Finding("job", "ok", f"{settings().job_name}, in {settings().job_location}")


def check_stored(target: Target) -> Iterator[Finding]:
    """Yield what documents, messages, digests and keys need, as the console shows it."""
    try:
        digest = settings().model_digest or read_manifest(target.model).digest
    except SetupError:
        digest = None  # said by the check of the model
    yield from stored(firestore_client(), digest)


def check_uploads(_: Target) -> Iterator[Finding]:
    """Yield whether uploaded files have no document: their notifications were lost, or wait."""
    bucket = settings().uploads_bucket
    pages = lost(firestore_client(), bucket, until=now() - GRACE, limits=LIMITS)
    count, names, has_more = 0, [], False
    try:
        for page in islice(pages, UPLOADS_PAGES):
            count += page.files
            names += [event.name for event in page.lost]
            has_more = page.last is not None
    except NotFound:
        return  # said by the check of the buckets
    of = f" among the first {count:,} files" if has_more else ""
    if not names:
        yield Finding("uploads", "ok", f"every uploaded file has a document{of}")
        return
    have = "1 uploaded file has" if len(names) == 1 else f"{len(names):,} uploaded files have"
    minutes = GRACE // timedelta(minutes=1)
    shown = ", ".join(names[:UPLOADS_SHOWN]) + (" and others" if names[UPLOADS_SHOWN:] else "")
    detail = f"{have} had no document for {minutes} minutes or more{of}: {shown}."
    command = f"headrace import gs://{bucket}/ --missing"
    fix = f"The sweep notifies the functions of them again within an hour; at once: {command}"
    yield Finding("uploads", "wrong", detail, fix)


CHECKS: dict[str, tuple[Check, ...]] = {
    "model": (check_model,),
    "processes": (check_processes,),
    "deliveries": (check_deliveries,),
    "disk": (check_disk,),
    "Secret Manager": (check_secrets,),
    "Cloud Storage": (check_buckets,),
    "Pub/Sub": (check_topics, check_subscriptions),
    "Cloud Run": (check_job,),
    "Firestore": (check_stored,),
    "uploads": (check_uploads,),
}
"""The checks by the service that they ask; one that does not answer ends its checks, and no others."""
