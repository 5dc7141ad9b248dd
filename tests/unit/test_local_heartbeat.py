"""The local stack's heartbeats: each kind at its own interval, the first one interval after the start."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from local import heartbeat

if TYPE_CHECKING:
    import pytest


class Beats(heartbeat.Heartbeat):
    """What would have been published, by the time of a clock of its own."""

    def __init__(self) -> None:
        self.published: list[str] = []
        super().__init__()

    def tick(self, kind: str) -> None:
        self.published.append(kind)


def test_each_kind_beats_at_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late is once, not as often as it was missed."""
    now = [1000.0]
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: now[0]))
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
