"""The local stack's heartbeats: each kind at its own interval, the first one interval after the start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from local import heartbeat


class Beats(heartbeat.Heartbeat):
    """What would have been published, by the time of a clock of its own."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.reconciled: list[bool] = []
        self.reachable = True
        super().__init__()

    def tick(self, kind: str, **attributes: str) -> bool:
        if attributes:
            assert (kind, attributes) == ("sweep", {"reconcile": "now"})
            self.reconciled.append(self.reachable)
        else:
            self.published.append(kind)
        return self.reachable


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which beats are due."""
    found = [1000.0]
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: found[0]))
    return found


def test_each_kind_beats_at_its_interval(now: list[float]) -> None:
    """Late is once, not as often as it was missed."""
    beats = Beats()
    beats.beat()
    assert beats.published == []
    now[0] += 60
    beats.beat()
    beats.beat()
    assert beats.published == ["digest"]
    now[0] += 600
    beats.beat()
    assert sorted(beats.published[1:]) == ["digest", "sweep"]


def test_a_request_for_reconciliation_is_published_once_and_until_it_is(now: list[float]) -> None:
    """At the next beat, and again after a pause while Pub/Sub cannot be reached."""
    beats = Beats()
    beats.beat()
    assert beats.reconciled == []
    beats.reachable = False
    beats.reconcile()
    beats.beat()
    beats.beat()
    assert beats.reconciled == [False]
    beats.reachable = True
    now[0] += heartbeat.AGAIN_SECONDS
    beats.beat()
    beats.beat()
    assert (beats.reconciled, beats.published) == ([False, True], [])
