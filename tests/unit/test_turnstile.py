"""An instance has so many places; who waits in vain for one is told to come again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client

from local import function
from local.function import Turnstile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

PLACES = 2


class Work:
    """An application that is at work until it is told to end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.end = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.begun.release()
        assert self.end.wait(10)
        if environ["PATH_INFO"] == "/broken":
            raise ZeroDivisionError
        start_response("204 No Content", [])
        return []


def test_whoever_finds_no_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more requests are at work than there are places, and a place that was left is taken again."""
    work = Work()
    client = Client(Turnstile(work, "analyze", PLACES))

    def ask(_: int) -> int:
        answer = client.post("/")
        assert answer.status_code != 429 or "No instance was free" in answer.text
        return answer.status_code

    with ThreadPoolExecutor(10) as pool:
        monkeypatch.setattr(function, "PENDING_SECONDS", 0.05)
        first = [pool.submit(ask, number) for number in range(PLACES)]
        assert all(work.begun.acquire(timeout=10) for _ in first)
        assert [one.result() for one in [pool.submit(ask, number) for number in range(3)]] == [429] * 3
        monkeypatch.setattr(function, "PENDING_SECONDS", 10.0)
        waiting = [pool.submit(ask, number) for number in range(3)]
        assert not work.begun.acquire(timeout=0.1)
        work.end.set()
        assert [one.result() for one in first + waiting] == [204] * 5


def test_a_failure_leaves_its_place() -> None:
    """However a request ends, the next one finds room."""
    work = Work()
    work.end.set()
    client = Client(Turnstile(work, "analyze", 1))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            client.post("/broken")
    assert client.post("/").status_code == 204
