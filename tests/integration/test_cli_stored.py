"""Documents by id or name, whatever is given as one: an answer or one sentence, and never a stack trace."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cli.main import headrace
from shared.api.ask import NO_EVIDENCE
from shared.documents.store import document_id, find
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from tests.documents import made
from tests.integration.api_server import MODEL
from tests.integration.documents_servers import PROJECT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = f"{PROJECT}-uploads"
TOO_LONG = "x" * 2000
AWKWARD = ["", ".", "..", "__x__", "a/b", TOO_LONG, "\udcff\udcfe"]
NAMED = "reports/2025.txt"
LIKE_AN_ID = "ab" * 12


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, empty until a test stores something in it."""
    with serving(tmp_path_factory.mktemp("stored")):
        yield


def store(name: str) -> str:
    identifier = document_id(BUCKET, name)
    fields = made(id=identifier, name=name).model_dump()
    firestore_client().collection("documents").document(identifier).set(fields)
    return identifier


def refused(*arguments: str) -> str:
    """The sentence that a command ends with."""
    done = CliRunner().invoke(headrace, arguments, standalone_mode=False)
    assert isinstance(done.exception, HeadraceError), done.exception
    done.exception.message.encode()
    return done.exception.message


def test_no_documents_yet() -> None:
    """Not a header over nothing; for programs an empty list."""
    assert CliRunner().invoke(headrace, ["show"]).output == "No documents yet: headrace drop FILE\n"
    assert CliRunner().invoke(headrace, ["show", "--json"]).output == "[]\n"


def test_every_document_goes_into_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """`show --csv` without ids has the passages of all documents, more than a page of them, newest first."""
    monkeypatch.setattr("cli.results.LISTED", 2)
    nothing = dict.fromkeys(("page", "row", "sentiment", "action")) | {"topics": [], "figures": []}
    names = [f"csv-{number}.txt" for number in range(5)]
    for minute, name in enumerate(names):
        reference = firestore_client().collection("documents").document(store(name))
        created = datetime(2026, 11, 1, 8, minute, tzinfo=UTC)
        reference.update({"created_at": created, "published_run": 1})
        passage = {"run": 1, "index": 0, "text": f"text of {name}"} | nothing
        reference.collection("passages").document("1-0").set(passage)
    done = CliRunner().invoke(headrace, ["show", "--csv"])
    rows = list(csv.DictReader(io.StringIO(done.output, newline="")))
    assert [(row["document"], row["text"]) for row in rows] == [
        (name, f"text of {name}") for name in reversed(names)
    ]
    listed = json.loads(CliRunner().invoke(headrace, ["show", "--json"]).output)
    assert [shown["name"] for shown in listed] == names[:-3:-1]


def test_nothing_failed_lately() -> None:
    """That nothing ever failed is not said."""
    done = CliRunner().invoke(headrace, ["replay", "--since", "2h"])
    assert done.output == "No document has failed in that time.\n"


@pytest.mark.parametrize("given", AWKWARD)
@pytest.mark.parametrize("command", [["show"], ["show", "--csv"], ["replay"], ["erase", "--yes"]])
def test_what_can_be_no_id_is_a_name(command: list[str], given: str) -> None:
    """Of which there is no document; Firestore refuses most of these as ids."""
    sentence = refused(*command, given)
    assert sentence.startswith("There is no document ") or "is not UTF-8" in sentence


def test_a_name_that_is_no_text_has_no_file() -> None:
    """The bucket is not asked for it."""
    assert "is not UTF-8" in refused("erase", "--yes", "--with-file", "\udcff")


@pytest.mark.parametrize("given", [*AWKWARD, "weekly-20200101T0000Z"])
def test_no_such_digest(given: str) -> None:
    """It says how to list those that there are."""
    assert refused("digest", "verify", given).endswith("List them: headrace digest list")


def test_a_document_by_id_or_name() -> None:
    """A name may look like an id."""
    for name in (NAMED, LIKE_AN_ID):
        identifier = store(name)
        assert find(name).id == find(identifier).id == identifier


def test_search_refuses_filters_that_let_nothing_through() -> None:
    """What is not there is said, and not taken for a document without such passages."""
    search = ("search", "water", "--model", str(MODEL))
    assert refused(*search, "--document", "nope").startswith("There is no document nope.")
    assert refused(*search, "--topic", "E99").startswith("There is no topic 'E99'; there are: E1")


def test_search_within_a_document_by_name_and_a_topic_in_any_case() -> None:
    """As the other commands take names."""
    store(NAMED)
    arguments = ["search", "water", "--model", str(MODEL), "--document", NAMED, "--topic", "e3"]
    done = CliRunner().invoke(headrace, arguments)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Nothing was found")


def test_a_question_without_a_language_model_prints_what_fits_best() -> None:
    """Or that nothing was found; what cannot be asked is refused by a sentence."""
    ask = ("ask", "--model", str(MODEL), "water")
    done = CliRunner().invoke(headrace, [*ask, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {
        "question": "water",
        "model": None,
        "sentences": [],
        "note": NO_EVIDENCE,
        "evidence": [],
    }
    assert CliRunner().invoke(headrace, ask).output == f"{NO_EVIDENCE}\n"
    assert refused(*ask[:3], " ").startswith("What is the question?")
    assert refused(*ask, "--document", "nope").startswith("There is no document nope.")
    assert refused(*ask, "--topic", "E99").startswith("There is no topic 'E99'; there are: E1")
