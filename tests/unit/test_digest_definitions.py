"""Schedules from a file: what is well formed is there, and what is not is named and in nobody's way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.digests.schedules import MAX_SCHEDULES, ROOT, Definitions, combine, read_file
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.digests.schedules import Problem

GOOD = '[[schedule]]\nname = "good"\ncron = "0 8 * * MON"\n'


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    settings.cache_clear()
    yield
    settings.cache_clear()


def read(tmp_path: Path, content: str) -> tuple[Definitions, list[Problem]]:
    """Of a file with this content: its schedules, and all problems."""
    path = tmp_path / "some.toml"
    path.write_text(content, "utf-8")
    entries, problems = read_file(path)
    found = combine(entries)
    return found, [*problems, *found.problems]


def test_the_file_that_is_shipped_has_a_weekly_digest() -> None:
    """Mondays at eight, of the week before, and nobody is told."""
    entries, problems = read_file(ROOT / "digests.toml")
    [weekly] = combine(entries).schedules
    assert not problems
    assert (weekly.name, weekly.cron, weekly.zone, weekly.window) == ("weekly", "0 8 * * MON", "UTC", "week")
    assert weekly.notify == []


def test_the_comments_of_the_file_that_is_shipped_can_be_used(tmp_path: Path) -> None:
    """Without the number signs, what they show is a schedule too."""
    lines = (ROOT / "digests.toml").read_text("utf-8").splitlines()
    shown = [line.removeprefix("# ") for line in lines if " = " in line or "[[" in line]
    found, problems = read(tmp_path, "\n".join(shown))
    assert not problems
    assert [target.kind for target in found.schedules[0].notify] == ["webhook", "email"]
    assert found.schedules[0].filter.topic == "E1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('cron = "0 99 * * *"', "cron: '0 99 * * *' cannot be read: Bad hour."),
        ('cron = "0 8 30 2 *"', "cron: '0 8 30 2 *' cannot be read: Bad day-of-month."),
        ("", "cron: Field required."),
        ('cron = "0 8 * * *"\nzone = "Mars/Olympus"', "zone: 'Mars/Olympus' is not in the"),
        ('cron = "0 8 * * *"\ntimezone = "UTC"', "timezone: Extra inputs are not permitted."),
        ('cron = "0 8 * * *"\nwindow = "year"', "window: Input should be 'day', 'week', "),
        ('cron = "0 8 * * *"\nfilter = { prefx = "a" }', "filter.prefx: Extra inputs are not permitted."),
    ],
)  # fmt: skip
def test_a_malformed_schedule_is_named_and_stops_no_other(tmp_path: Path, lines: str, message: str) -> None:
    """The message says which field, and what is wrong with it."""
    found, problems = read(tmp_path, f'[[schedule]]\nname = "bad"\n{lines}\n{GOOD}')
    assert [one.name for one in found.schedules] == ["good"]
    [problem] = problems
    assert (problem.name, problem.source) == ("bad", "some.toml")
    assert problem.message.startswith(message)


def test_no_value_that_may_be_secret_is_shown(tmp_path: Path) -> None:
    """Whoever writes an address where the name of a secret belongs does not find it in the log."""
    address = "https://hooks.example/T0/very-secret"
    told = f'[[schedule.notify]]\nkind = "webhook"\nsecret = "{address}"\n'
    _, [problem] = read(tmp_path, f"{GOOD}{told}")
    assert problem.message.startswith("notify.0.webhook.secret: ")
    assert "very-secret" not in problem.message
    _, [problem] = read(tmp_path, f'{GOOD}[[schedule.notify]]\nkind = "email"\nto = ["{address}"]\n')
    assert "very-secret" not in problem.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[schedule]\n", "The file is not TOML"),
        ('[schedule]\nname = "weekly"\n', "nothing else"),  # one bracket too few
        (f'title = "our digests"\n{GOOD}', "nothing else"),
        ("schedule = [1]\n", "nothing else"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_problem(tmp_path: Path, content: str, message: str) -> None:
    """It is named by the file."""
    found, [problem] = read(tmp_path, content)
    assert found.schedules == []
    assert problem.name == "some.toml"
    assert message in problem.message


def test_a_schedule_without_a_name_is_told_by_its_place(tmp_path: Path) -> None:
    """The second in the file has none."""
    _, [problem] = read(tmp_path, f'{GOOD}[[schedule]]\ncron = "0 8 * * *"\n')
    assert (problem.name, problem.message) == ("schedule 2", "name: Field required.")


def test_names_are_unique_and_not_that_of_digests_made_by_hand(tmp_path: Path) -> None:
    """Of two with one name the first holds."""
    second = GOOD.replace("MON", "TUE")
    found, problems = read(tmp_path, f"{GOOD}{second}{GOOD.replace('good', 'now')}")
    assert [one.cron for one in found.schedules] == ["0 8 * * MON"]
    assert [problem.name for problem in problems] == ["good", "now"]


def test_there_may_be_so_many_schedules_and_no_more(tmp_path: Path) -> None:
    """The rest is named."""
    many = "".join(GOOD.replace("good", f"s{number:03}") for number in range(MAX_SCHEDULES + 2))
    found, problems = read(tmp_path, many)
    assert len(found.schedules) == MAX_SCHEDULES
    assert [problem.name for problem in problems] == [f"s{MAX_SCHEDULES}", f"s{MAX_SCHEDULES + 1}"]


def test_a_file_that_is_not_there_is_a_problem_if_somebody_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default need not be there: all schedules may be in Firestore."""
    assert read_file(Path("no-such-file.toml")) == ([], [])
    monkeypatch.setenv("HEADRACE_DIGESTS_FILE", str(tmp_path / "gone.toml"))
    settings.cache_clear()
    _, [problem] = read_file(settings().digests_file)
    assert (problem.name, problem.message) == ("gone.toml", "The file cannot be read: FileNotFoundError.")


def test_the_file_is_found_from_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and the function read the same one, wherever they were started; one's own goes first."""
    monkeypatch.chdir(tmp_path)
    entries, _ = read_file(Path("digests.toml"))
    assert [entry.name for entry in entries] == ["weekly"]
    (tmp_path / "digests.toml").write_text(GOOD, "utf-8")
    entries, _ = read_file(Path("digests.toml"))
    assert [entry.name for entry in entries] == ["good"]
