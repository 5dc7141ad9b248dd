"""gcloud, called as a person would call it: the one program that changes anything in the cloud here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from shared.platform.errors import HeadraceError, Retryable, SetupError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

NOT_FOUND = ("Cannot find service", "Cannot find job", "Cannot find revision")
"""How gcloud says that there is no such service, job or revision."""


@dataclass(frozen=True)
class Place:
    """Where things are deployed."""

    project: str
    region: str
    repository: str
    """Of images in Artifact Registry: HOST/PROJECT/NAME."""

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self:
        """What the command line or the environment says.

        Raises:
            SetupError: one of the three is said nowhere.
        """
        for name in ("project", "region", "repository"):
            if not getattr(options, name):
                raise SetupError(f"Name the {name}: --{name}, or the variable {VARIABLES[name]}.")
        return cls(options.project, options.region, options.repository)


VARIABLES = {"project": "GOOGLE_CLOUD_PROJECT", "region": "REGION", "repository": "REPOSITORY"}


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that say where; a build has them in its environment."""
    for name, variable in VARIABLES.items():
        parser.add_argument(f"--{name}", default=os.environ.get(variable), help=f"(default: ${variable})")


def gcloud(place: Place, *arguments: str) -> str:
    """Run a command; what it prints.

    Raises:
        Retryable: it failed; what it said has gone to the log.
    """
    done = _run(place, *arguments)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise Retryable(f"gcloud {' '.join(arguments[:4])} ended with status {done.returncode}.")
    return done.stdout


def described(place: Place, *arguments: str) -> dict[str, Any] | None:
    """What a `describe` says; None where there is no such thing."""
    done = _run(place, *arguments, "--format=json")
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    if any(said in done.stderr for said in NOT_FOUND):
        return None
    sys.stderr.write(done.stderr)
    raise Retryable(f"gcloud {' '.join(arguments[:4])} ended with status {done.returncode}.")


def token(audience: str) -> str | None:
    """An identity token of the account that deploys; None where it gets none, as a person's own does not."""
    arguments = ["gcloud", "auth", "print-identity-token", f"--audiences={audience}", "--quiet"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = [f"--project={place.project}", "--quiet"]
    if arguments[0] == "run":
        where.append(f"--region={place.region}")
    return subprocess.run(["gcloud", *arguments, *where], capture_output=True, text=True, check=False)


def reporting(command: str, step: Callable[[], None]) -> int:
    """Run a command's body; the exit status is 1 where it could not be done, and the reason is said."""
    try:
        step()
    except HeadraceError as error:
        print(f"{command}: {error.message}", file=sys.stderr)
        return 1
    return 0
