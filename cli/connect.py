"""Which Headrace a command talks to: the local stack, the user's emulators, or a project in the cloud."""

from __future__ import annotations

import os
from pathlib import Path

from local.services import EMULATORS
from local.stack import read_stack

DEFAULT_DATA = Path(".headrace")


def connect(data: Path, project: str | None) -> None:
    """Put what the clients read into this process's environment.

    Raises:
        SetupError: no project is named and no stack runs on `data`.
    """
    if project is not None:
        os.environ["GOOGLE_CLOUD_PROJECT"] = project
        for variable in EMULATORS:
            os.environ.pop(variable, None)
    elif not os.environ.get("FIRESTORE_EMULATOR_HOST"):
        os.environ.update(read_stack(data)["environment"])
