"""Options of a group of commands that stand before the name of one of them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cli.main import headrace


@pytest.mark.parametrize(
    "arguments",
    [
        ["digest", "--project", "prod", "list"],
        ["digest", "--schedule", "weekly", "list"],
        ["digest", "--json", "verify", "now-x"],
        ["digest", "--data", "elsewhere", "verify", "now-x"],
        ["backfill", "--project", "prod", "show", "b"],
        ["backfill", "--wait", "resume", "b"],
    ],
)
def test_an_option_that_a_command_would_not_see_is_refused(arguments: list[str]) -> None:
    """It would be dropped without a word, and the local stack be asked instead of a project."""
    asked = CliRunner().invoke(headrace, arguments)
    assert asked.exit_code == 2
    command = next(one for one in arguments if one in {"list", "verify", "show", "resume"})
    assert f"headrace {arguments[0]} {command} {arguments[1]}" in " ".join(asked.output.split())


@pytest.mark.parametrize("group", ["digest", "backfill"])
def test_what_the_environment_says_is_no_option_that_stands_there(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command reads it for itself."""
    monkeypatch.setenv("HEADRACE_DATA", "elsewhere")
    command = {"digest": "list", "backfill": "show"}[group]
    assert CliRunner().invoke(headrace, [group, command, "--help"]).exit_code == 0
