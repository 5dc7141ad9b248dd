"""Checks of what the functions need: settings, model, secrets, buckets, topics, job, processes, disk."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import FailedPrecondition, NotFound

from cli.connect import NotRead, adopt
from cli.diagnosis import CALL_SECONDS, LIMITS, Finding
from local.processes import LOW_BYTES, READY_SECONDS, accepts, port_taken
from local.provision import PUSHES, SUBSCRIPTIONS, expected, subscriber
from local.pubsub.names import OPEN_PUSHES
from local.services import HOST, ON_DEMAND, SIZES
from shared.api.requests import parse_hashes
from shared.documents.delegation import job_path
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest, read_verified
from shared.platform.clients import insecure_channel, jobs, publisher, secrets, storage_client
from shared.platform.errors import SetupError
from shared.platform.settings import PREFIX, TOPICS, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.pubsub_v1 import Subscription

    from cli.diagnosis import Target


COMPARED = ("topic", "ack_deadline_seconds", "filter", "message_retention_duration", "dead_letter_policy")


def check_settings(_: Target) -> Iterator[Finding]:
    """Yield whether the environment's settings parse."""
    try:
        project = settings().project
    except SetupError as error:
        yield Finding("settings", "wrong", error.message, "Correct or remove the variable.")
    else:
        yield Finding("settings", "ok", f"project {project}")


def check_deployment(target: Target) -> Iterator[Finding]:
    """Yield whether the functions' settings can be read; from then on they are this process's."""
    if not target.cloud:
        return
    try:
        revision = adopt()
    except NotRead as error:
        yield Finding("deployment", "unknown" if error.refused else "wrong", error.detail, error.fix)
    else:
        yield Finding("deployment", "ok", f"settings of ingest, {revision}")


def _unsaid(check: str, target: Target, *names: str) -> Iterator[Finding]:
    """Yield that the expected names are unknown if nobody set them: the defaults are a laptop's."""
    if not target.read and not set(names) <= settings().model_fields_set:
        variables = " ".join(f"{PREFIX}{name.upper()}=…" for name in names)
        detail = "Which there should be is not known without the settings of the functions."
        yield Finding(check, "unknown", detail, f"As above, or set {variables}")


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


def check_secrets(target: Target) -> Iterator[Finding]:
    """Yield whether each secret has its pinned version with a usable value, which is not shown."""
    if unsaid := [*_unsaid("secrets", target, "redaction_key_version", "api_key_hash_version")]:
        yield from unsaid
        return
    pinned = {
        settings().redaction_key: settings().redaction_key_version,
        settings().api_key_hash: settings().api_key_hash_version,
    }
    project = settings().project
    for name, version in pinned.items():
        add = target.repair(f"gcloud secrets versions add {name} --project={project} --data-file=FILE")
        path = f"projects/{project}/secrets/{name}/versions/{version}"
        try:
            payload = bytes(secrets().access_secret_version(name=path, **LIMITS).payload.data)
        except NotFound:
            yield Finding("secrets", "wrong", f"{name} has no version {version}.", add)
            continue
        except FailedPrecondition:
            enable = f"gcloud secrets versions enable {version} --secret={name} --project={project}"
            if target.cloud:  # after a leak the other way is the only one
                enable = (
                    f"Deploy with another version (docs/security.md), or if this one did not leak: {enable}"
                )
            detail = f"Version {version} of {name} is disabled or destroyed."
            yield Finding("secrets", "wrong", detail, enable)
            continue
        if problem := _unusable(name, payload):
            yield Finding("secrets", "wrong", problem, add)
        else:
            yield Finding("secrets", "ok", f"{name}, version {version}")


def _unusable(name: str, payload: bytes) -> str | None:
    if not payload:
        return f"{name} is empty."
    if name == settings().api_key_hash:
        try:
            parse_hashes(payload)
        except SetupError as error:
            return error.message
    return None


def check_buckets(target: Target) -> Iterator[Finding]:
    """Yield whether the buckets exist."""
    for name in (settings().uploads_bucket, settings().work_bucket):
        if storage_client().lookup_bucket(name, **LIMITS) is None:
            create = f"gcloud storage buckets create gs://{name} --project={settings().project}"
            yield Finding("buckets", "wrong", f"There is no bucket {name}.", target.repair(create))
        else:
            yield Finding("buckets", "ok", name)


def check_job(target: Target) -> Iterator[Finding]:
    """Yield whether the job for long documents exists, where the settings name one."""
    if unsaid := [*_unsaid("job", target, "job_name", "job_location")]:
        yield from unsaid
        return
    if not settings().job_name:
        yield Finding("job", "ok", "none: what is too long for a function is rejected")
        return
    try:
        jobs().get_job(name=job_path(), **LIMITS)
    except NotFound:
        where = f"--region={settings().job_location} --project={settings().project}"
        create = f"gcloud run jobs create {settings().job_name} --image=IMAGE {where}"
        yield Finding("job", "wrong", f"There is no {job_path()}.", target.repair(create))
    else:
        yield Finding("job", "ok", f"{settings().job_name}, in {settings().job_location}")


def check_topics(target: Target) -> Iterator[Finding]:
    """Yield whether the topics exist."""
    project = settings().project
    missing = []
    for topic in TOPICS:
        try:
            publisher().get_topic(topic=f"projects/{project}/topics/{topic}", **LIMITS)
        except NotFound:
            missing.append(topic)
    if missing:
        create = f"gcloud pubsub topics create {' '.join(missing)} --project={project}"
        yield Finding("topics", "wrong", f"Missing: {', '.join(missing)}.", target.repair(create))
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
            yield Finding("subscriptions", "wrong", detail, target.repair(_create(wanted)))
            continue
        if differences := [*_differences(wanted, subscription, target)]:
            fix = target.repair(_update(wanted))
            yield Finding("subscriptions", "wrong", f"{name}: {'; '.join(differences)}.", fix)
        else:
            to = subscription.push_config.push_endpoint or "pulled"
            yield Finding("subscriptions", "ok", f"{name}: {to}")


def _differences(wanted: Subscription, subscription: Subscription, target: Target) -> Iterator[str]:
    for field in COMPARED:
        if getattr(wanted, field) != getattr(subscription, field):
            yield f"{field} is {_shown(getattr(subscription, field))}, not {_shown(getattr(wanted, field))}"
    if wanted.retry_policy:
        # How long a backoff fits differs: minutes of outage on a laptop, hours in the cloud.
        if not subscription.retry_policy:
            yield "it has no retry policy, so what is refused comes again at once"
        elif not target.cloud and subscription.retry_policy != wanted.retry_policy:
            yield "its backoff is another"
    function = wanted.name.rpartition("/")[2]
    endpoint = subscription.push_config.push_endpoint
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


def _create(wanted: Subscription) -> str:
    function, topic = (full.rpartition("/")[2] for full in (wanted.name, wanted.topic))
    options = [f"--topic={topic}", *_options(wanted)]
    if wanted.filter:
        options.append(f"--message-filter='{wanted.filter}'")
    if function in PUSHES:
        options.append(f"--push-endpoint=URL_OF_{function.upper()}")
    return _gcloud("create", wanted, options)


def _update(wanted: Subscription) -> str:
    return _gcloud("update", wanted, _options(wanted))


def _options(wanted: Subscription) -> list[str]:
    options = [
        f"--ack-deadline={wanted.ack_deadline_seconds}",
        f"--message-retention-duration={wanted.message_retention_duration.total_seconds():.0f}s",
    ]
    if policy := wanted.dead_letter_policy:
        options += [
            f"--dead-letter-topic={policy.dead_letter_topic.rpartition('/')[2]}",
            f"--max-delivery-attempts={policy.max_delivery_attempts}",
        ]
    return options


def _gcloud(verb: str, wanted: Subscription, options: list[str]) -> str:
    _, project, _, name = wanted.name.split("/")
    return " ".join([f"gcloud pubsub subscriptions {verb} {name} --project={project}", *options])


QUIET_SECONDS = 10.0
"""A function that does not answer, and has logged nothing for so long, is not just busy."""
DELIVERY_SECONDS = 60.0
"""A delivery that has been open for longer is named: most are answered within a few seconds."""

SCARCE_BYTES = 512 * 1024 * 1024
"""Free space below which the doctor warns; below `LOW_BYTES` something is wrong already."""
MEGABYTE = 1_000_000


def check_processes(target: Target) -> Iterator[Finding]:
    """Yield whether every process answers; a function is asked for a path that it is never called with."""
    if target.stack is None:
        return
    processes = target.stack["processes"]
    silent = [process for process in processes if not _answers(process)]
    for process in silent:
        quiet = _silent_for(process)
        detail = f"{process['name']} (process {process['pid']}) does not answer within {CALL_SECONDS:.0f} s"
        restart = f"kill -9 {process['pid']} (the stack starts it again); its log is {process['log']}"
        if quiet < QUIET_SECONDS:
            yield Finding("processes", "warning", f"{detail}, but is at work.", f"If it stays so: {restart}")
        else:
            yield Finding("processes", "wrong", f"{detail}.", restart)
    if not silent:
        yield Finding("processes", "ok", ", ".join(process["name"] for process in processes))


def check_deliveries(target: Target) -> Iterator[Finding]:
    """Yield each message that a function has had for long without answering."""
    processes = {process["name"]: process for process in target.stack["processes"]} if target.stack else {}
    if "pubsub" not in processes:
        return
    long = [push for push in _open_pushes(processes["pubsub"]["port"]) if push["seconds"] > DELIVERY_SECONDS]
    for push in long:
        function, attributes = push["subscription"].rpartition("/")[2], push["attributes"]
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


def check_disk(target: Target) -> Iterator[Finding]:
    """Yield whether there is room where the stack keeps its data, and where functions put temporary files."""
    if target.stack is None:
        return
    places = {place.stat().st_dev: place for place in (Path(tempfile.gettempdir()), target.data)}
    for place in places.values():
        free = shutil.disk_usage(place).free
        detail = f"{free / MEGABYTE:,.0f} MB are free for {place}"
        if free < LOW_BYTES:
            wait = "Uploads and documents wait, nothing is lost"
            yield Finding("disk", "wrong", f"{detail}: the disk is full or nearly so.", f"{wait}: make room")
        elif free < SCARCE_BYTES:
            yield Finding("disk", "warning", f"{detail}.", "Make room before it is full")
        else:
            yield Finding("disk", "ok", detail)


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


def _silent_for(process: dict[str, Any]) -> float:
    """Return the seconds since a process's last line of log, or its start; infinite if it never started."""
    log = Path(process["log"])
    return time.time() - log.stat().st_mtime if log.exists() else math.inf


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
    except (urllib.error.URLError, HTTPException, OSError):
        return False
