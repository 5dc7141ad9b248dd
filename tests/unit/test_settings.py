from pathlib import Path

import pytest

from cli.settings import markdown
from shared.platform.errors import SetupError
from shared.platform.settings import Settings, example

BASE = {"GOOGLE_CLOUD_PROJECT": "acme"}
NARRATIVE = ("model", "max_usd", "usd_per_million_in", "usd_per_million_out")
"""Settings without which `narrative_url` is refused."""


def test_defaults_follow_the_project() -> None:
    """Buckets are named after the project unless a setting says otherwise."""
    settings = Settings.from_environment(BASE)
    assert settings.uploads_bucket == "acme-uploads"
    assert settings.work_bucket == "acme-work"


def test_a_variable_sets_a_field() -> None:
    """HEADRACE_<NAME> overrides the default, parsed to the field's type."""
    settings = Settings.from_environment({**BASE, "HEADRACE_MAX_PAGES": "12", "HEADRACE_WORK_BUCKET": "w"})
    assert settings.max_pages == 12
    assert settings.work_bucket == "w"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEADRACE_MAX_PAGES", "many"),  # does not parse
        ("HEADRACE_MAX_PAGES", "0"),  # out of bounds
        ("HEADRACE_BATCH_PASSAGES", "1000"),  # over what one Firestore commit takes
        ("HEADRACE_MODEL_DIGEST", "latest"),  # a model is named by its digest alone
        ("HEADRACE_RETENTION", "30"),  # days of what?
        ("HEADRACE_RETENTION", "{interviews/: 30}"),  # no JSON
        ("HEADRACE_RETENTION", '{"interviews/": 0}'),  # would erase before it is read
        ("HEADRACE_RETENTION", '{"interviews/": 1.5}'),  # whole days
        ("HEADRACE_RETENTION", '{"interviews/": 40000}'),  # over a hundred years
        ("HEADRACE_MAX_PAGE", "12"),  # no such setting: a typing error must not pass silently
    ],
)
def test_a_bad_setting_stops_the_process_with_its_name(variable: str, value: str) -> None:
    """Whoever set it must find it in the message."""
    with pytest.raises(SetupError, match=variable):
        Settings.from_environment({**BASE, variable: value})


def test_a_misspelt_setting_is_told_what_it_may_have_been() -> None:
    """With a value that would do, and where all of them are."""
    with pytest.raises(SetupError) as caught:
        Settings.from_environment({**BASE, "HEADRACE_MAX_PAGE": "12"})
    assert "HEADRACE_MAX_PAGES=2000" in caught.value.message
    assert "docs/settings.md" in caught.value.message


@pytest.mark.parametrize("variable", ["HEADRACE_PROJECT", "HEADRACE_PROJET"])
def test_the_project_has_one_variable(variable: str) -> None:
    """Another would give the one project the other's buckets; the message names the one that is meant."""
    with pytest.raises(SetupError) as caught:
        Settings.from_environment({**BASE, variable: "other"})
    assert caught.value.message == (
        f"setting {variable}: there is no such setting; did you mean GOOGLE_CLOUD_PROJECT=my-project? "
        "All are in docs/settings.md."
    )


def test_what_is_like_no_setting_is_told_in_whole_sentences() -> None:
    """Nothing is proposed, and the list is named all the same."""
    with pytest.raises(SetupError) as caught:
        Settings.from_environment({**BASE, "HEADRACE_FOO": "1"})
    assert caught.value.message == (
        "setting HEADRACE_FOO: there is no such setting. All are in docs/settings.md."
    )


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"project"}))
def test_each_setting_has_an_example_that_would_do(name: str) -> None:
    """What an error shows can be copied."""
    variable, _, value = example(Settings, name).partition("=")
    assert value
    assert value != "None"
    beside = dict(example(Settings, f"narrative_{part}").split("=") for part in NARRATIVE)
    read = Settings.from_environment({**BASE, **beside, variable: value})
    assert name in read.model_fields_set


def test_the_list_of_settings_is_that_of_the_code() -> None:
    """docs/settings.md is written by `make docs`."""
    page = Path(__file__).parents[2] / "docs/settings.md"
    assert page.read_text("utf-8") == markdown()


def test_without_a_project_it_says_what_to_do() -> None:
    """No project and no emulator: the message names the variable and the local way."""
    with pytest.raises(SetupError, match="GOOGLE_CLOUD_PROJECT") as caught:
        Settings.from_environment({})
    assert "headrace env" in caught.value.message


def test_beside_an_emulator_the_project_has_a_default() -> None:
    """On the local stack nobody has to name a project."""
    settings = Settings.from_environment({"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"})
    assert settings.project == "headrace-local"


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("report.pdf", 365),  # only the empty prefix fits
        ("interviews/report.pdf", 30),  # the longer of two that fit
        ("interviews/board/report.pdf", 7),  # the longest of three
        ("interview/report.pdf", 365),  # a prefix fits whole or not at all
    ],
)
def test_the_longest_prefix_decides_how_long_results_are_kept(name: str, days: int) -> None:
    """Whatever the order in which the prefixes stand."""
    value = '{"interviews/": 30, "": 365, "interviews/board/": 7}'
    assert Settings.from_environment({**BASE, "HEADRACE_RETENTION": value}).retention_days(name) == days


def test_what_no_prefix_fits_is_kept() -> None:
    """Nothing is erased unless somebody asked for it."""
    value = '{"interviews/": 30}'
    assert Settings.from_environment(BASE).retention_days("report.pdf") is None
    assert Settings.from_environment({**BASE, "HEADRACE_RETENTION": value}).retention_days("a.pdf") is None
