"""Which roles infra/ gives Headrace's own accounts, and on what: whatever else one has is told.

`tests/unit/test_security_given.py` compares this with infra/, so that neither changes alone.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["project", "bucket", "topic", "secret", "service", "job"]

PUSHER, BUILDER = "pusher", "builder"
"""What act as accounts of their own and are no services: pushes of Pub/Sub, and Cloud Build."""
SECRET_READER = "roles/secretmanager.secretAccessor"  # noqa: S105 - a role
DATABASE = 'resource.name == "projects/{project}/databases/(default)"'
"""On which condition a role on Firestore is given, whose policy is the project's."""

_CHANGE, _READ = "roles/storage.objectUser", "roles/storage.objectViewer"
_LIST = "roles/storage.legacyBucketReader"
_PUBLISH, _FIRESTORE = "roles/pubsub.publisher", "roles/datastore.user"
_INVOKE, _DEPLOY = "roles/run.invoker", "roles/run.developer"

PROJECT: dict[str, dict[str, str]] = {
    "analyze": {_FIRESTORE: DATABASE},
    "api": {"roles/datastore.viewer": DATABASE},
    "deadletter": {_FIRESTORE: DATABASE},
    "digest": {_FIRESTORE: DATABASE},
    "ingest": {_FIRESTORE: DATABASE},
    "long-job": {_FIRESTORE: DATABASE},
    "sweep": {_FIRESTORE: DATABASE},
    BUILDER: {
        _FIRESTORE: DATABASE,
        "roles/logging.logWriter": "",
        "roles/run.sourceDeveloper": "",
        "roles/serviceusage.serviceUsageConsumer": "",
    },
}
"""By program, each role with its condition; empty: without one."""

RESOURCES: dict[Kind, dict[str, frozenset[str]]] = {
    "bucket": {
        "analyze": frozenset({_READ}),
        "digest": frozenset({_CHANGE}),
        "ingest": frozenset({_CHANGE}),
        "long-job": frozenset({_CHANGE}),
        "sweep": frozenset({_CHANGE, _LIST}),
        BUILDER: frozenset({_CHANGE, _LIST}),
    },
    "topic": {
        name: frozenset({_PUBLISH})
        for name in ("analyze", "deadletter", "digest", "ingest", "long-job", "sweep", BUILDER)
    },
    # Which secret is whose is also for the variable `secrets` to say: any program may be given one.
    "secret": {
        name: frozenset({SECRET_READER})
        for name in ("analyze", "api", "deadletter", "digest", "ingest", "long-job", "sweep")
    },
    "service": {PUSHER: frozenset({_INVOKE}), BUILDER: frozenset({_INVOKE, _DEPLOY})},
    "job": {
        "ingest": frozenset({"headraceJobStarter"}),
        "long-job": frozenset({"headraceJobReader"}),
        "sweep": frozenset({"headraceJobStarter"}),
        BUILDER: frozenset({_DEPLOY}),
    },
}
"""By kind of resource and program, on one or more of the kind; of a role of the project's own, its id."""


def condition(kind: Kind, program: str, role: str, project: str) -> str | None:
    """On which condition a program is given a role on a resource; empty: on none. None: it is not given."""
    if kind == "project":
        found = PROJECT.get(program, {}).get(role)
        return found if found is None else found.format(project=project)
    identifier = role.rpartition("/")[2] if role.startswith("projects/") else role
    return "" if identifier in RESOURCES[kind].get(program, ()) else None
