"""Cloud Storage as a real process, and this process's own client and settings pointed at it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.services import Layout
from shared.platform.settings import LOCAL_PROJECT
from tests.caches import forget
from tests.e2e.running import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def started(data: Path) -> Iterator[str]:
    """fake-gcs-server as the local stack runs it; its address."""
    for folder in ("storage", "logs"):
        (data / folder).mkdir(exist_ok=True)
    layout = Layout(data, free_ports(1), {})
    service = next(service for service in layout.services(Path("none")) if service.name == "storage")
    environment = {**os.environ, **service.environment}
    process = subprocess.Popen(service.command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not service.answers():
            assert process.poll() is None
        yield layout.environment()["STORAGE_EMULATOR_HOST"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def storing(data: Path) -> Iterator[str]:
    """The same, while this process's client and settings are of it and of the local project."""
    with started(data) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_CLOUD_PROJECT", LOCAL_PROJECT)
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        forget()
        try:
            yield address
        finally:
            forget()
