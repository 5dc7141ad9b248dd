"""No digest is lost, and none comes that nobody asked for: after outages, failures and other releases.

Times of ticks are given, and leases are moved into the past instead of waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.digest import main
from shared.digests import ticks
from shared.digests.records import Window
from shared.platform.clients import firestore_client
from shared.platform.pubsub import Push
from shared.platform.settings import settings
from tests.integration.digest_rounds import (
    DAY,
    EIGHT,
    HOUR,
    MINUTE,
    Killed,
    Made,
    define,
    empty,
    fails,
    names,
    over,
    read,
    rounds,
    states,
    tick,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with rounds(tmp_path_factory.mktemp("rounds")) as file:
        yield file


@pytest.fixture(autouse=True)
def _nothing_stored() -> None:
    empty()


def push(published: datetime) -> Push:
    return Push(
        message_id="1", published=published, data=b"{}", attributes={}, subscription="", delivery_attempt=None
    )


def update(collection: str, name: str, **fields: Any) -> None:
    firestore_client().collection(collection).document(name).update(fields)


def hours(made: Made) -> list[tuple[int, int]]:
    return [(start.hour, end.hour) for start, end in made.windows]


def only(make: Callable[[ticks.Tick], str], *failing: str) -> Callable[[ticks.Tick], str]:
    """Make all but these."""
    return lambda one: fails(one) if one.id in failing else make(one)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What the function makes too."""
    made = Made()
    monkeypatch.setattr(main, "make", made)
    return made


def test_a_backlog_of_ticks_makes_no_more_than_was_missed_at_once(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function was down for eight hours; Pub/Sub was not, and delivers a tick of every five minutes."""
    define(cron="0 * * * *", window="day")
    tick(EIGHT + 2 * MINUTE, made)
    monkeypatch.setattr(main, "now", lambda: EIGHT + 8 * HOUR + 3 * MINUTE)
    for n in range(1, 8 * 12 + 1):
        main.on_tick(push(EIGHT + 2 * MINUTE + n * 5 * MINUTE))
    assert made.ids == names(14, 15, 16)
    assert [name for name, state in sorted(states().items()) if state == "skipped"] == names(*range(9, 14))


def test_a_backlog_makes_nothing_of_before_a_schedule(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was defined after an outage, and the ticks of that come first."""
    define(cron="0 * * * *", window="day")
    monkeypatch.setattr(main, "now", lambda: EIGHT + 30 * MINUTE)
    for n in range(72):
        main.on_tick(push(EIGHT - 6 * HOUR + n * 5 * MINUTE))
    assert made.ids == []


def test_a_machine_whose_clock_is_behind_makes_what_is_due(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the time of the tick's publishing."""
    define()
    tick(EIGHT - MINUTE, made)
    monkeypatch.setattr(main, "now", lambda: EIGHT - HOUR)
    main.on_tick(push(EIGHT + 2 * MINUTE))
    assert made.ids == names(8)


def test_a_record_of_a_newer_release_fails_alone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was planned with a field that this release does not know; attempts count, and messages go out."""
    define()
    define("other")
    tick(EIGHT - MINUTE, made)
    with pytest.raises(Killed):
        tick(EIGHT + 2 * MINUTE, _dies)
    own, other = *names(8), *names(8, of="other")
    over(own)
    update("ticks", own, **{"definition.later": 1})
    notified: list[datetime] = []
    monkeypatch.setattr("shared.digests.notify.notify_pending", lambda _, at: notified.append(at))
    monkeypatch.setattr(main, "now", lambda: EIGHT + 2 * MINUTE)
    for n in range(1, settings().digest_attempts):
        main.on_tick(push(EIGHT + 2 * MINUTE))
        assert made.ids == [other]
        assert len(notified) == n
    stored = read("ticks", own)
    assert (stored["state"], stored["error"]) == ("failed", "ValidationError")
    assert stored["attempts"] == settings().digest_attempts


def test_a_record_that_cannot_even_be_claimed_stops_no_other(made: Made) -> None:
    """Somebody's hand was in it."""
    define()
    define("other")
    tick(EIGHT - MINUTE, made)
    with pytest.raises(Killed):
        tick(EIGHT + 2 * MINUTE, _dies)
    update("ticks", names(8)[0], lease="none")
    assert tick(EIGHT + 2 * MINUTE, made) == names(8, of="other")


def test_what_a_digest_between_others_did_not_tell_the_next_one_tells(made: Made) -> None:
    """Three were missed, and the first of them fails: the next goes back to it, and compares with before."""
    define(cron="0 * * * *", window="since-last")
    tick(EIGHT - 70 * MINUTE, made)
    tick(EIGHT + 2 * MINUTE, made)
    for _ in range(settings().digest_attempts):
        tick(EIGHT + 3 * HOUR + 2 * MINUTE, only(made, *names(9)))
    tick(EIGHT + 4 * HOUR + 2 * MINUTE, made)
    tick(EIGHT + 5 * HOUR + 2 * MINUTE, made)
    assert hours(made) == [(6, 7), (7, 8), (9, 10), (10, 11), (8, 12), (12, 13)]
    last = made.ticks[-1].earlier
    assert last[:3] == [
        Window(start=start, end=end) for start, end in reversed([*made.windows[:2], made.windows[4]])
    ]
    for one in made.ticks:
        ends = [one.window.start, *(window.start for window in one.earlier)]
        assert [window.end for window in one.earlier] == ends[:-1]


def test_digests_that_fail_one_after_another_are_told_once(made: Made) -> None:
    """By the next one, which goes back to the first."""
    define(cron="0 * * * *", window="since-last")
    tick(EIGHT + 2 * MINUTE, made)
    for _ in range(settings().digest_attempts):
        tick(EIGHT + 3 * HOUR + 2 * MINUTE, fails)
    assert {*states().values()} == {"failed"}
    tick(EIGHT + 4 * HOUR + 2 * MINUTE, made)
    tick(EIGHT + 5 * HOUR + 2 * MINUTE, made)
    assert hours(made) == [(8, 12), (12, 13)]


def test_what_a_later_digest_tells_too_is_not_told_again(made: Made) -> None:
    """One fails after another had gone back beyond it."""
    define(cron="0 * * * *", window="since-last")
    tick(EIGHT + 2 * MINUTE, made)
    first, second = names(9, 10)
    tick(EIGHT + 2 * HOUR + 2 * MINUTE, only(made, first, second))
    update("ticks", first, attempts=settings().digest_attempts - 1)
    tick(EIGHT + 2 * HOUR + 2 * MINUTE, only(made, first, second))
    assert states() == {first: "failed", second: "due"}
    tick(EIGHT + 3 * HOUR + 2 * MINUTE, only(made, second))
    update("ticks", second, attempts=settings().digest_attempts - 1)
    tick(EIGHT + 3 * HOUR + 2 * MINUTE, only(made, second))
    assert states()[second] == "failed"
    tick(EIGHT + 4 * HOUR + 2 * MINUTE, made)
    assert hours(made) == [(8, 11), (11, 12)]


@pytest.mark.parametrize("error", [Killed(), ValueError()], ids=["killed", "error"])
def test_a_digest_that_is_stored_has_not_failed(made: Made, error: BaseException) -> None:
    """The last attempt made it, and ended before it could say so: what it tells is not told again."""
    define(window="since-last")
    tick(EIGHT - MINUTE, made)
    for _ in range(settings().digest_attempts - 1):
        tick(EIGHT + 2 * MINUTE, fails)

    def makes_and_ends(one: ticks.Tick) -> str:
        firestore_client().collection("digests").document(made(one)).set({"schedule": "daily"})
        raise error

    if isinstance(error, Killed):
        with pytest.raises(Killed):
            tick(EIGHT + 2 * MINUTE, makes_and_ends)
        over(names(8)[0])
        tick(EIGHT + 3 * MINUTE, made)
    else:
        tick(EIGHT + 2 * MINUTE, makes_and_ends)
    stored = read("ticks", names(8)[0])
    assert (stored["state"], stored["error"]) == ("done", None)
    tick(EIGHT + DAY + 2 * MINUTE, made)
    assert made.windows == [(EIGHT - DAY, EIGHT), (EIGHT, EIGHT + DAY)]


def test_releases_with_different_times_in_turn_lose_and_repeat_nothing(made: Made) -> None:
    """While one replaces the other both answer ticks, each with its own file; windows join."""
    crons = ["*/20 * * * *", "5-59/30 * * * *", "0 * * * *"]
    moments = [EIGHT + n * 7 * MINUTE for n in range(40)]
    due: list[datetime] = []
    for n, (before, at) in enumerate(zip([EIGHT, *moments], moments, strict=False)):
        former = crons[(n - 1) % 3]
        minutes = {crons[0]: {0, 20, 40}, crons[1]: {5, 35}, crons[2]: {0}}[former]
        passed = (before + m * MINUTE for m in range(1, int((at - before) / MINUTE) + 1))
        due += [moment for moment in passed if moment.minute in minutes]
        define(cron=crons[n % 3], window="since-last")
        tick(at, made)
    tick(moments[-1] + 2 * MINUTE, made)
    assert made.ids == [ticks.tick_id("daily", moment) for moment in due]
    assert [start for start, _ in made.windows[1:]] == due[:-1]


def _dies(_: ticks.Tick) -> str:
    raise Killed
