"""The model is loaded once, whoever asks first, and however many do at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 8


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which thread loaded a model, each time that one was; loading takes a while."""
    from functions.analyze import main as analyze
    from functions.api import main as api

    loaded: list[str] = []

    class Slow:
        def __init__(self, *_: Any, **__: Any) -> None:
            loaded.append(threading.current_thread().name)
            time.sleep(0.05)

        def run(self) -> None:
            """What the API's queue is given."""

    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    cached = (settings, analyze._load, api._load)
    for each in cached:
        each.cache_clear()
    for module in (analyze, api):
        monkeypatch.setattr(module, "Engine", Slow)
    yield loaded
    for each in cached:
        each.cache_clear()


@pytest.mark.parametrize("function", ["analyze", "api"])
def test_first_requests_at_once_load_one_model(loads: list[str], function: str) -> None:
    """Two would be twice the memory, in an instance that has room for one. All get the same."""
    from functions.analyze.main import engine
    from functions.api.main import model

    together = threading.Barrier(AT_ONCE)

    def ask(_: int) -> int:
        together.wait(10)
        return id(engine() if function == "analyze" else model()[0])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        got = set(pool.map(ask, range(AT_ONCE)))
    assert (len(got), len(loads)) == (1, 1)
