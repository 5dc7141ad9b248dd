"""Check the names of topics and subscriptions."""

from __future__ import annotations

import re

from local.serving import invalid

DELETED_TOPIC = "_deleted-topic_"
"""What a subscription shows as its topic once that is gone."""
OPEN_PUSHES = "/headrace.local.PubSub/ListOpenPushes"
"""A gRPC method of this server alone, for `headrace doctor`: takes nothing, answers a list of objects."""

_NAME = re.compile(r"projects/([^/]+)/(topics|subscriptions)/([A-Za-z][A-Za-z0-9\-_.~+%]{2,254})")
_PROJECT = re.compile(r"projects/[^/]+")


def check_topic(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(name, "topics")


def check_subscription(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(name, "subscriptions")


def check_project(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    if not _PROJECT.fullmatch(name):
        raise invalid(f"Invalid project name {name!r}: the form is projects/PROJECT.")
    return name


def _check(name: str, collection: str) -> str:
    match = _NAME.fullmatch(name)
    if match is None or match[2] != collection or match[3].startswith("goog"):
        raise invalid(
            f"Invalid resource name {name!r}: the form is projects/PROJECT/{collection}/ID, where ID has "
            "3 to 255 of A-Z a-z 0-9 - _ . ~ + %, begins with a letter and not with goog."
        )
    return name


def split(name: str) -> tuple[str, str]:
    """Project and id of a checked name."""
    _, project, _, identifier = name.split("/")
    return project, identifier
