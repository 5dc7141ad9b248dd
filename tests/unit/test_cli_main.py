"""What the command prints beside results: errors, for people and programs, and scripts of completion."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import pytest
from google.api_core.exceptions import Forbidden, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from requests import ConnectTimeout
from rich.console import Console

from cli.connect import explain_failure
from cli.jobs import print_backfill
from cli.main import headrace, main
from cli.render import full
from shared.documents.views import document_view
from shared.jobs.listing import Backfill, Wanted
from shared.platform.clients import EMULATORS
from shared.platform.errors import HeadraceError, Permanent, SetupError
from tests.caches import forget
from tests.misbehaving import HttpServer, reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Call the command, however it was started, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["-c", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (HeadraceError("No."), {"code": "headrace_error", "message": "No.", "hint": None}),
        (SetupError("No stack."), {"code": "setup_error", "message": "No stack.", "hint": None}),
        (Permanent("bad", "It is.", "Mend it."), {"code": "bad", "message": "It is.", "hint": "Mend it."}),
    ],
)
def test_a_program_gets_errors_as_json(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: HeadraceError,
    shown: Mapping[str, str],
) -> None:
    """With `--json` an object on standard output, always the sentence on standard error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("cli.options.connect", fail)
    for options in ([], ["--json"]):
        assert call(monkeypatch, "show", *options) == 1
        out, err = capsys.readouterr()
        assert err.startswith(f"headrace: {error.message}")
        assert (json.loads(out) == shown) if options else not out


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """A server that takes the place of every service of Google's, and answers each call with a 500."""
    with serving(HttpServer(reply(500, b"overloaded"))) as server:
        for name in EMULATORS:
            monkeypatch.setenv(name, f"127.0.0.1:{server.port}")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "headrace-local")
        monkeypatch.setattr("shared.platform.retry.RETRY_SECONDS", 0.2)
        forget()
        yield server
    forget()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("arguments", [["drop", "FILE"], ["show"], ["erase", "--find", "words"]])
def test_a_service_that_fails_is_reported_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
) -> None:
    """By Cloud Storage over HTTP as by Firestore over gRPC."""
    file = tmp_path / "report.txt"
    file.write_text("text")
    assert call(monkeypatch, *[str(file) if word == "FILE" else word for word in arguments], "--json") == 1
    out, err = capsys.readouterr()
    error: dict[str, str] = json.loads(out)
    assert error["code"] == "service_failed"
    assert error["message"].startswith("A service does not answer as it should: ")
    assert "headrace up" in error["hint"]
    assert err == f"headrace: {error['message']} {error['hint']}\n"


@pytest.mark.parametrize(
    ("kind", "code", "hint"),
    [
        (DefaultCredentialsError, "no_credentials", "Sign in: gcloud auth"),
        (Forbidden, "forbidden", "the missing permission"),
        (ServiceUnavailable, "service_failed", "status.cloud.google.com"),
        (ConnectTimeout, "service_failed", "status.cloud.google.com"),
    ],
)
def test_a_failed_call_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[str], Exception], code: str, hint: str
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    problem = explain_failure(kind("no"))
    assert problem is not None
    assert (problem.code, hint in problem.hint) == (code, True)


def test_a_mistake_of_the_program_is_not_taken_for_a_failed_call() -> None:
    """Its traceback is wanted."""
    assert explain_failure(AttributeError("none")) is None
    assert explain_failure(OSError("full")) is None


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["show", "--json", "--nonsense"], "headrace show --help"),
        (["digest", "list", "extra", "--json"], "headrace digest list --help"),
        (["nonsense", "--json"], "headrace --help"),
    ],
)
def test_wrong_arguments_are_an_error_of_the_same_shape(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    assert call(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    error: dict[str, Any] = json.loads(out)
    assert set(error) == {"code", "message", "hint"}
    assert error["hint"] == hint
    assert error["message"] in err


def test_a_file_called_as_the_option_asks_for_no_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "analyze", "--", "--json") == 1
    assert not capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script_of_completion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    """The variable is the one that `headrace --help` names."""
    monkeypatch.setenv("_HEADRACE_COMPLETE", f"{shell}_source")
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda *_: None)
    assert call(monkeypatch) == 0
    assert "_HEADRACE_COMPLETE" in capsys.readouterr().out
    assert "_HEADRACE_COMPLETE=bash_source headrace" in str(headrace.epilog)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["dig"], {"digest"}),
        (["digest", ""], {"list", "verify"}),
        (["drop", "--wa"], {"--wait"}),
    ],
)
def test_commands_and_options_are_completed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    completions: set[str],
) -> None:
    monkeypatch.setenv("_HEADRACE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["headrace", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert call(monkeypatch) == 0
    assert {line.partition(",")[2] for line in capsys.readouterr().out.split()} == completions


def test_every_command_can_print_json() -> None:
    """But for those that only start something; of a group that does nothing itself, each of its own."""
    commands = [
        one
        for command in headrace.commands.values()
        for one in (
            command.commands.values()
            if isinstance(command, click.Group) and not command.invoke_without_command
            else [command]
        )
    ]
    without = {
        command.name for command in commands if not any(option.name == "as_json" for option in command.params)
    }
    assert without == {"mcp", "up"}


def test_a_backfill_that_compared_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows would be printed as the letters of its title, one a line."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("changed", "passages", "initiatives_before", "initiatives_after"), 0
    )
    comparison: dict[str, Any] = nothing | {
        key: {} for key in ("sentiment", "action", "topics_gained", "topics_lost")
    }
    report = {"comparison": comparison | {"examples": []}, "errors": []}
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    backfill = Backfill(
        id="b", wanted=Wanted(), model=None, tasks=1, state="completed", created_at=moment, updated_at=moment
    ).model_copy(update={"report": report})
    print_backfill(Console(width=80), backfill)
    assert capsys.readouterr().out.splitlines() == [
        "backfill b: completed, 0 documents",
        "model of the job",
        "",
        "no passages were compared",
    ]


@pytest.mark.parametrize("local", [True, False])
def test_a_cost_is_printed_of_the_cloud_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, local: bool
) -> None:
    """List prices say nothing of a laptop."""
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    if local:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "localhost:1")
    fields = {"id": "0" * 24, "name": "r.txt", "state": "completed", "cost": {"usd": 0.0012}, "summary": []}
    full(Console(width=80), document_view(fields), [])
    assert ("about $0.0012" in capsys.readouterr().out) is not local
