"""The push window: how it grows, how it shrinks, and that it stays within its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.pubsub.window import MAX_PAUSE, MAX_WINDOW, MIN_PAUSE, START_WINDOW, Window


def test_window_doubles_in_a_round_of_successes() -> None:
    """As many successes as the window holds double it, until something fails."""
    window = Window()
    for size in (START_WINDOW, 2 * START_WINDOW, 4 * START_WINDOW):
        assert window.size == size
        for _ in range(size):
            window.succeeded()


def test_window_grows_by_one_a_round_after_a_failure() -> None:
    """From the size at which it last failed, growth is slow."""
    window = Window()
    for _ in range(24):
        window.succeeded()
    assert window.size == 32
    window.failed(sent_at=1.0, now=1.0)
    assert window.size == 16
    for _ in range(17):  # 1/16 each, a little less as it grows
        window.succeeded()
    assert window.size == 17


def test_a_round_of_refusals_shrinks_once() -> None:
    """Pushes sent before the window shrank tell nothing new when they fail too."""
    window = Window()
    for _ in range(START_WINDOW):
        window.failed(sent_at=1.0, now=2.0)
    assert window.size == START_WINDOW // 2
    window.failed(sent_at=2.5, now=3.0)
    assert window.size == START_WINDOW // 4


def test_pauses_begin_where_the_window_ends() -> None:
    """Only a window of one that fails pauses; the pause doubles to its maximum and a success resets it."""
    window = Window()
    now = 0.0
    while window.size > 1:
        window.failed(sent_at=now, now=now + 0.01)
        assert window.paused_until <= now + 0.01
        now += 0.1
    pauses = []
    for _ in range(6):
        window.failed(sent_at=now, now=now)
        pauses.append(round(window.paused_until - now, 6))
        now += 10
    assert pauses == [MIN_PAUSE, 0.2, 0.4, 0.8, MAX_PAUSE, MAX_PAUSE]
    window.succeeded()
    window.failed(sent_at=now, now=now)
    window.failed(sent_at=now, now=now)
    assert round(window.paused_until - now, 6) == MIN_PAUSE


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=300))
def test_window_stays_within_its_bounds(history: list[tuple[bool, float]]) -> None:
    """Whatever happens, from one push to the maximum may be outstanding, and pauses have their limit."""
    window, now = Window(), 0.0
    for success, age in history:
        now += 0.1
        if success:
            window.succeeded()
        else:
            window.failed(sent_at=now - age, now=now)
        assert 1 <= window.size <= MAX_WINDOW
        assert window.paused_until <= now + MAX_PAUSE
