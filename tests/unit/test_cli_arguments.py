"""What the commands are given that they cannot use, and the commands that they print for a shell."""

from __future__ import annotations

import io
import json
import shlex
import socket
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from cli.connect import read_own_stack
from cli.erase import report_holding
from cli.main import headrace
from cli.options import LAST_PORT, MODEL
from cli.render import full
from cli.results import drop_all, known_topic
from local.services import ANALYZE_THREADS, EMULATORS, LANES, TITLES, Layout
from local.stack import STACK_FILE, Watch, _locked, running
from shared.api.erasing import Holding, command_to_erase
from shared.documents.views import document_view
from shared.platform.errors import HeadraceError, SetupError
from shared.platform.records import TOPICS


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--port", "0"],
        ["up", "--port", "70000"],
        ["up", "--port", str(LAST_PORT + 1)],
        *(["replay", "--since", hours] for hours in ("nan", "1e300", "-5d", "12", "soon", "0d", "7x")),
    ],
)
def test_a_number_of_no_use_is_refused(arguments: list[str]) -> None:
    """By name of its option, before anything is connected to."""
    done = CliRunner().invoke(headrace, arguments)
    assert done.exit_code == 2, done.output
    assert f"Invalid value for '{arguments[1]}'" in done.output


def test_what_is_stated_of_a_file_becomes_metadata_of_its_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags in one line; what is not stated is left out."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr("cli.options.Stack.connect", lambda _: None)

    def drop_all(_: object, *, metadata: dict[str, str]) -> list[object]:
        given.append(metadata)
        return []

    monkeypatch.setattr("cli.results.drop_all", drop_all)
    path = tmp_path / "a.txt"
    path.write_text("The mill is old.")
    stated = ["--organisation", "Alnemill", "--year", "2021", "--tag", "mill", "--tag", "peer"]
    assert CliRunner().invoke(headrace, ["drop", str(path), *stated]).exit_code == 0
    assert CliRunner().invoke(headrace, ["drop", str(path), "--text-column", "body"]).exit_code == 0
    assert given == [
        {"organisation": "Alnemill", "year": "2021", "tags": "mill,peer"},
        {"text-column": "body"},
    ]
    assert CliRunner().invoke(headrace, ["drop", str(path), "--year", "21"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "follows"),
    [
        (["search", "water"], True),
        (["doctor"], True),
        (["doctor", "--project", "p"], False),  # what runs there has its model in its image
        (["up"], False),
    ],
)
def test_a_command_takes_the_model_that_the_stack_runs_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], *, follows: bool
) -> None:
    """Another answers neither for its topics nor for its embeddings; a stack that is started takes ours."""
    for name in EMULATORS:
        monkeypatch.delenv(name, raising=False)
    name, *given = arguments
    command, given = headrace.commands[name], ["--data", str(tmp_path), *given]
    assert command.make_context(name, list(given)).params["model"] == MODEL
    Watch(Layout(tmp_path, 9000, {}), [], print, tmp_path / "mine")._write()
    found = command.make_context(name, list(given)).params["model"]
    assert found == (tmp_path / "mine" if follows else MODEL)
    named = command.make_context(name, [*given, "--model", "other"]).params["model"]
    assert named == Path("other")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "another.example")
    assert command.make_context(name, list(given)).params["model"] == MODEL


@pytest.mark.parametrize("name", ["search", "doctor"])
def test_a_stack_of_fewer_emulators_is_the_one_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As another version started it."""
    for variable in EMULATORS:
        monkeypatch.delenv(variable, raising=False)
    Watch(Layout(tmp_path, 9000, {}), [], print, tmp_path / "mine")._write()
    stack = json.loads((tmp_path / STACK_FILE).read_text())
    del stack["environment"]["CLOUD_RUN_EMULATOR_HOST"]
    (tmp_path / STACK_FILE).write_text(json.dumps(stack))
    command, given = headrace.commands[name], ["--data", str(tmp_path), *(["x"] if name == "search" else [])]
    assert command.make_context(name, list(given)).params["model"] == tmp_path / "mine"
    for variable, value in stack["environment"].items():
        monkeypatch.setenv(variable, value)
    assert read_own_stack(tmp_path) == stack


def test_the_help_says_which_model_is_taken() -> None:
    """Only what asks a stack takes that stack's."""
    said = {
        name: next(
            str(option.help)
            for option in command.params
            if isinstance(option, click.Option) and option.name == "model"
        )
        for name, command in headrace.commands.items()
        if name in {"up", "run", "analyze", "search", "doctor"}
    }
    asked = {name for name, text in said.items() if "local stack" in text}
    assert (len(said), asked) == (5, {"search", "doctor"})


def test_the_last_port_leaves_room_for_all() -> None:
    """Every process has one behind it."""
    assert LAST_PORT + len(TITLES) - 1 == 65535


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second would replace the first. No bucket is asked for: nothing has been uploaded by then."""
    paths = [tmp_path / folder / "report.txt" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    with pytest.raises(HeadraceError, match="nothing was uploaded") as refused:
        drop_all([tmp_path / "a" / "report.txt", *paths])
    assert all(str(path) in refused.value.message for path in paths)


def test_a_name_that_is_no_text_is_refused() -> None:
    """A name of an object is UTF-8; what is printed of it is, too."""
    with pytest.raises(HeadraceError, match="is not UTF-8") as refused:
        drop_all([Path("\udcff.txt")])
    refused.value.message.encode()


def test_initiatives_that_are_not_shown_are_where_it_says() -> None:
    """`show --json` has their number and no more."""
    shown = document_view({"id": "0" * 24, "name": "r.txt", "state": "completed", "passages": 40})
    shown |= {"initiatives": 13, "published_run": 1, "summary": []}
    assert f"13 more, among all passages: headrace show {'0' * 24} --csv" in printed(shown)
    assert "headrace analyze FILE --json" in printed(shown | {"id": None})


def printed(shown: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=160)
    full(console, shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_topic_in_any_case() -> None:
    """Its own where it is there; of a model that tells none, any."""
    assert [known_topic(asked, TOPICS) for asked in ("E3", "e3")] == ["E3", "E3"]
    assert known_topic("a", ("A", "a")) == "a"
    assert known_topic("E99", ()) == "E99"


def test_an_unknown_topic_names_those_there_are() -> None:
    """With what they mean, where that is known."""
    with pytest.raises(HeadraceError, match=r"no topic 'E99'; there are: E1 \(climate change\), .*G1"):
        known_topic("E99", TOPICS)
    with pytest.raises(HeadraceError, match=r"there are: rent, noise\.$"):
        known_topic("E1", ("rent", "noise"))


@pytest.mark.parametrize("name", ["plain.txt", "<b>x&.txt", "it's $HOME.txt", "-v.txt", "", "a\nb"])
def test_a_printed_command_can_be_pasted(name: str) -> None:
    """A shell gives the command the name that it was, and it is no option."""
    words = shlex.split(command_to_erase(name))
    assert words == ["headrace", "erase", "--with-file", *(["--"] if name[:1] == "-" else []), name]


def test_documents_with_some_words_say_in_how_many_passages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One passage has no plural; none means that the document's own fields hold the words."""
    monkeypatch.setattr(
        "cli.erase.holding", lambda _: [Holding("d", "a.txt", number) for number in (0, 1, 2)]
    )
    report_holding("words", as_json=False)
    counts = ("0 passages", "1 passage", "2 passages")
    assert capsys.readouterr().out.splitlines() == [f"d  a.txt: {count}" for count in counts]


def test_a_named_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """The message names the port and the way out. Nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        layout = Layout(tmp_path, taken, {})
        with pytest.raises(SetupError, match=f"Port {taken} .* leave out --port"):
            Watch(layout, layout.services(tmp_path), print, tmp_path).start()


@pytest.mark.parametrize(("set_to", "lanes"), [(None, ANALYZE_THREADS), ("5", 5)])
def test_a_long_document_takes_no_more_lanes_than_can_be_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_to: str | None, lanes: int
) -> None:
    """Short documents wait behind those alone; whoever sets the number has it."""
    if set_to is None:
        monkeypatch.delenv(LANES, raising=False)
    else:
        monkeypatch.setenv(LANES, set_to)
    services = {service.name: service for service in Layout(tmp_path, 9000, {}).services(tmp_path)}
    assert services["ingest"].environment[LANES] == str(lanes)


def test_a_directory_has_one_stack(tmp_path: Path) -> None:
    """Where one runs on the directory already, a second is told how to get one of its own."""
    (tmp_path / "manifest.json").touch()
    with (
        _locked(tmp_path),
        pytest.raises(SetupError, match=r"headrace up --data OTHER$"),
        running(tmp_path, model=tmp_path, port=1, reset=False, say=print),
    ):
        pass
