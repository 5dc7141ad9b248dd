"""Which stack is audited, and what is said where a check may not or cannot ask."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

from cli.connect import connect
from cli.diagnosis.findings import Finding, Target
from cli.diagnosis.resources import check_settings
from cli.security.audit import Audit
from cli.security.credentials import API_KEYS
from cli.security.given import SECRET_READER
from shared.platform.errors import SetupError
from shared.platform.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.security.audit import Rules

READING = "roles/iam.securityReviewer, roles/viewer and roles/browser"
NEEDED = {
    # What a secret holds none of the others may read.
    API_KEYS: f"{READING}, and {SECRET_READER} on the secret that {PREFIX}API_KEY_HASH names (api-key-hash)"
}
"""Roles by what is asked, where the usual ones are not enough."""


def examine(
    data: Path,
    project: str | None,
    model: Path,
    stack: Callable[[Path], dict[str, object] | None],
    rules: Rules,
) -> Iterator[Finding]:
    """Every finding of the stack on `data`, or of a project."""
    try:
        connect(data, project)
    except SetupError as error:
        yield Finding("stack", "wrong", error.message, f"headrace up --data {quote(str(data))}")
        return
    target = Target(data, model, stack(data), cloud=not os.environ.get("FIRESTORE_EMULATOR_HOST"))
    known = list(check_settings(target))
    if known[0].status == "wrong":
        yield from known
        return
    for name, check in Audit(target, rules).checks().items():
        yield from guarded(name, check)


def guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; where it may not or cannot ask, one that says so."""
    from google.api_core.exceptions import Forbidden, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        yield from check()
    except SetupError as error:
        yield Finding(name, "wrong", error.message, "Correct or remove the variable of the service.")
    except GoogleAuthError as error:
        login = "gcloud auth application-default login"
        yield Finding(name, "unknown", f"No credentials: {type(error).__name__}.", login)
    except Forbidden as error:
        fix = f"Ask with an account that has {NEEDED.get(name, READING)}"
        yield Finding(name, "unknown", f"Your account may not read this: {type(error).__name__}.", fix)
    except (GoogleAPIError, RequestException, OSError) as error:
        yield Finding(
            name, "unknown", f"No answer that could be judged: {type(error).__name__}.", "headrace doctor"
        )
