"""Uploads as they come: locked, oddly named, gone before they are read, breaking what reads them."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from cli.main import main
from cli.say import HIDDEN
from tests.e2e.running import RunningStack, free_ports
from tests.unit.office_files import grid, xlsx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "headrace-local-uploads"
SENTENCE = "The plant in the north cut its use of water by 12% in one year."
PASSWORD = "river of the north"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose operator has a password for everything below hr/, and allows little memory."""
    extra = {"HEADRACE_PASSWORDS": json.dumps({"hr/": "docpw-hr/1", "hr/other/": "docpw-other/1"})}
    running = RunningStack(tmp_path_factory.mktemp("uploads"), free_ports(), extra)
    running.up()
    yield running
    running.end()


@pytest.fixture(autouse=True)
def _clients(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.platform import clients as made
    from shared.platform.settings import settings

    for name, value in stack.stack()["environment"].items():
        monkeypatch.setenv(name, value)
    for cached in (made.storage_client, made.firestore_client, made.publisher, made.secrets, settings):
        cached.cache_clear()


def locked() -> bytes:
    held = io.BytesIO()
    canvas = Canvas(held, encrypt=StandardEncryption(PASSWORD, strength=128))
    canvas.drawString(72, 720, SENTENCE)
    canvas.save()
    return held.getvalue()


def upload(name: str, content: bytes, **metadata: str) -> None:
    from shared.platform.clients import storage_client

    blob = storage_client().bucket(BUCKET).blob(name)
    blob.metadata = metadata or None
    blob.upload_from_string(content)


def ended(name: str, seconds: float = 60) -> dict[str, Any]:
    """The document as it is stored, once its run has ended."""
    from shared.documents.store import Documents, document_id
    from shared.platform.clients import firestore_client
    from shared.platform.records import TERMINAL

    reference = Documents(firestore_client()).reference(document_id(BUCKET, name))
    deadline = time.monotonic() + seconds
    while True:
        stored = reference.get().to_dict()
        if stored and stored["state"] in TERMINAL:
            return dict(stored)
        assert time.monotonic() < deadline, stored
        time.sleep(0.1)


def secret(name: str, value: str) -> None:
    from google.cloud.secretmanager_v1 import Replication, Secret, SecretPayload

    from shared.platform.clients import secrets

    parent = "projects/headrace-local"
    secrets().create_secret(
        parent=parent,
        secret_id=name,
        secret=Secret(replication=Replication(automatic=Replication.Automatic())),
    )
    secrets().add_secret_version(
        parent=f"{parent}/secrets/{name}", payload=SecretPayload(data=value.encode())
    )


def test_the_operators_password_opens_what_is_locked(stack: RunningStack) -> None:
    """By the beginning of the name alone: elsewhere it stays locked, and an uploader cannot name a secret."""
    secret("docpw-hr", PASSWORD)
    secret("docpw-other", "not this one")
    for name in ("hr/locked.pdf", "hr/other/locked.pdf", "locked.pdf"):
        upload(name, locked(), password="docpw-hr/1", passwords="docpw-hr/1")
    opened = ended("hr/locked.pdf")
    assert (opened["state"], opened["passages"]) == ("completed", 1)
    for name, said in (
        ("hr/other/locked.pdf", "does not open it"),
        ("locked.pdf", "protected by a password"),
    ):
        refused = ended(name)
        assert refused["error"]["code"] == "encrypted"
        assert said in refused["error"]["message"]
        assert "docpw-" in refused["error"]["hint"]
    assert PASSWORD not in str(opened)
    for log in (stack.data / "logs").iterdir():
        assert PASSWORD not in log.read_text(errors="replace")


@pytest.mark.parametrize(
    "name",
    [
        "\u043e\u0442\u0447\u0451\u0442 \u6c34 \u062a\u0642\u0631\u064a\u0631.txt",
        "a\u202ecod.txt",
        "tab\there.txt",
        "..%2f..%2fetc%2fpasswd",
        "'\";--.txt",
    ],
)
def test_a_name_may_be_anything(stack: RunningStack, name: str) -> None:
    """Any script, marks that turn the writing round, control characters, quotes: it is only ever a name."""
    upload(name, SENTENCE.encode())
    assert ended(name)["name"] == name
    listed = stack.json("show", name)
    assert [shown["name"] for shown in listed] == [name]
    printed = stack.command("show", name).stdout
    assert "\x1b" not in printed


NASTY = "evil\n\x1b[31m\r\u202e.txt"
"""It would begin a line of its own, colour and overwrite it, and turn what follows."""


def test_every_command_shows_a_name_escaped(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No terminal obeys it and no line of output begins inside it, whatever the command and its outcome."""
    monkeypatch.setenv("HEADRACE_DATA", str(stack.data))
    file = tmp_path / NASTY
    file.write_text(SENTENCE.replace("north", "evil"))
    shown = []
    for arguments in [
        ["drop", str(file), "--wait"],
        ["drop", str(file)],
        ["drop", str(file), str(tmp_path / "elsewhere" / NASTY)],
        ["show"],
        ["show", NASTY],
        ["show", f"{NASTY}?"],
        ["show", NASTY, "--json"],
        ["show", f"--{NASTY}"],
        ["analyze", str(file)],
        ["analyze", f"{file}?"],
        ["search", "cuts by the mill", "--document", NASTY],
        ["search", "cuts by the mill", "--topic", NASTY],
        ["doctor"],
        ["replay", NASTY],
        ["digest"],
        ["digest", "--schedule", NASTY],
        ["digest", "list"],
        ["digest", "verify", NASTY],
        ["backfill", "--prefix", NASTY, "--model", NASTY],
        ["backfill", "show", NASTY],
        ["import", f"gs://{BUCKET}/{NASTY}"],
        ["import", NASTY],
        ["train", f"gs://{BUCKET}/{NASTY}?"],
        ["erase", "--find", "evil"],
        ["erase", NASTY, "--yes", "--with-file"],
        ["erase", NASTY, "--yes"],
        [NASTY],
    ]:
        monkeypatch.setattr("sys.argv", ["headrace", *arguments])
        with pytest.raises(SystemExit):
            main()
        said = "".join(capsys.readouterr())
        assert not HIDDEN.search(said), (arguments, said)
        assert "evil\n" not in said, (arguments, said)
        shown += [arguments[0]] if r"evil\n\x1b[31m" in said else []
    assert {"drop", "show", "analyze", "search", "replay", "import", "erase"} <= {*shown}


def test_a_file_that_is_gone_before_it_is_read() -> None:
    """Its event comes late, after it was deleted: rejected, with what to do."""
    from shared.documents.model import Document
    from shared.documents.uploads import notify_all, upload_of
    from shared.platform.clients import storage_client

    upload("gone.txt", SENTENCE.encode())
    stored = ended("gone.txt")
    storage_client().bucket(BUCKET).blob("gone.txt").delete()
    notify_all([upload_of(Document.model_validate(stored), restart_run=1)])
    deadline = time.monotonic() + 80
    while (found := ended("gone.txt"))["run"] == 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (found["state"], found["error"]["code"]) == ("rejected", "deleted")


def test_what_is_said_of_a_file_is_redacted_too() -> None:
    """A refusal that names columns, and a warning that names hidden sheets, hold no personal data."""
    address = "jane.roe@example.com"
    upload("header.csv", f"{address},b\n{SENTENCE},1\n".encode(), **{"text-column": "nowhere"})
    upload("sheets.xlsx", xlsx({"Shown": grid([SENTENCE]), address: grid(["secret"])}, hidden=[address]))
    error, warnings = ended("header.csv")["error"], ended("sheets.xlsx")["warnings"]
    assert error["code"] == "text_column_not_found"
    assert "[email:" in error["message"]
    assert warnings[0].startswith("hidden sheets, left out: [email:")
    assert address not in f"{error} {warnings}"


def test_a_file_that_breaks_its_reader_breaks_nothing_else(stack: RunningStack) -> None:
    """While it is read, another file is analyzed; the function's instance stays the same process."""
    before = stack.pid("ingest")
    upload("deep.json", b"[" * 2_000_000)
    upload("bomb.html", b"<div>" * 1_000_000)
    upload("fine.txt", SENTENCE.replace("north", "south").encode())
    assert ended("fine.txt")["state"] == "completed"
    for name in ("deep.json", "bomb.html"):
        refused = ended(name)
        assert refused["state"] == "rejected"
        assert refused["error"]["message"].endswith(".")
    assert stack.pid("ingest") == before
