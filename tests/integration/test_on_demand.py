"""A process on demand: none until somebody calls, none when nobody does, and again when somebody does."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from local import processes
from local.processes import Service, accepts
from tests.integration.pubsub_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A server that says nothing by itself."""
    port = free_port()
    service = Service(
        name="server",
        title="a server",
        command=[sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        port=port,
        environment={},
        answers=partial(accepts, "127.0.0.1", port),
        log=tmp_path / "server.log",
        on_demand=True,
    )
    service.start()
    yield service
    service.ask_to_stop()
    service.stop(time.monotonic() + 5)


def call(service: Service) -> None:
    """Connect, and let the supervisor look twice, as it does four times a second."""
    assert accepts("127.0.0.1", service.port)
    service.attend()
    service.attend()


def has_process(service: Service) -> bool:
    """Or else it listens for its next caller."""
    assert (service.process is None) == (service.listener is not None)
    return service.process is not None


def test_it_starts_for_each_caller_after_a_pause(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of its last life is old by then; that does not end the next one before it has begun."""
    assert not has_process(service)
    for _ in range(2):
        call(service)
        assert has_process(service)
        service.wait_ready(time.monotonic() + 30)
        with monkeypatch.context() as patch:
            patch.setattr(processes, "IDLE_SECONDS", -1.0)
            service.attend()
        assert not has_process(service)
