"""The right to be forgotten: after an erasure no byte of a person's sentence is left in any store."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import pty
import subprocess
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from google.pubsub_v1 import PubsubMessage

from shared.documents.store import document_id
from shared.platform.clients import firestore_client, publisher, storage_client
from tests.e2e.running import HEADRACE, RunningStack, clean_environment, free_ports
from tests.e2e.test_failures import stored, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("clients")

PROJECT = "headrace-local"
UPLOADS = f"{PROJECT}-uploads"
PERSON = "Ilse Quandt-Mbeki"
TEXT = """\
Fire and recovery at the paper mill

In March 2025 MARKER and two workers of PERSON were seriously injured, a terrible accident.

PERSON replaced the boiler that had failed, and cut the mill's carbon emissions by 41% in 2025, after MARKER.

By 2028 we plan to train every one of our 90 workers in fire safety, so that what happened when MARKER never \
happens again.
"""
OTHER = "In 2025 the Velmora shipyard cut its emissions by 12%. It plans to burn no coal by 2030."


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of this module's own, which is searched whole."""
    running = RunningStack(tmp_path_factory.mktemp("erasure"), free_ports())
    running.up()
    yield running
    running.end()


_numbers = itertools.count(1)


@pytest.fixture
def marker() -> str:
    """In each sentence about her, so that a pseudonym for the name would not hide them; the test's own."""
    return f"the drying hall at Orrisund{next(_numbers)} burned down"


def text(marker: str) -> str:
    return TEXT.replace("MARKER", marker).replace("PERSON", PERSON)


def values(value: Any) -> Iterator[bytes]:
    """Every text and every run of bytes in a value, also those that were packed."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key).encode()
            yield from values(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from values(inner)
    elif isinstance(value, bytes):
        yield value
        for unpack in (zlib.decompress, gzip.decompress):
            with suppress(zlib.error, OSError, EOFError):
                yield unpack(value)
    else:
        yield str(value).encode()


def in_firestore(word: str, parent: Any = None) -> set[str]:
    """Paths of the records that hold a word, in every collection and in those under their documents."""
    found = set()
    for collection in (parent or firestore_client()).collections():
        for reference in collection.list_documents():  # also those of which only sub-collections are left
            fields = reference.get().to_dict() or {}
            if any(word.encode() in part for part in values(fields)):
                found.add(reference.path)
            found |= in_firestore(word, reference)
    return found


def in_buckets(word: str) -> set[str]:
    """Objects of every bucket that hold a word, in their bytes, name or metadata, and in every version."""
    client, found = storage_client(), set()
    for bucket in client.list_buckets():
        for blob in client.list_blobs(bucket.name, versions=True):
            content = blob.download_as_bytes(raw_download=True)
            held = [*values(content), *values(blob.metadata or {}), blob.name.encode()]
            if any(word.encode() in part for part in held):
                found.add(f"{bucket.name}/{blob.name}")
    return found


def in_files(folder: Path, word: str) -> set[str]:
    """Files under a folder that hold a word."""
    return {path.name for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()}


def buckets_of(places: set[str]) -> set[str]:
    return {place.partition("/")[0].removeprefix(f"{PROJECT}-") for place in places}


def collections_of(paths: set[str]) -> set[str]:
    return {path.split("/")[-2] for path in paths}


def drop(stack: RunningStack, *paths: Path) -> list[str]:
    """Drop files and wait; their documents."""
    return [shown["id"] for shown in stack.json("drop", *map(str, paths), "--wait")]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_no_byte_of_a_sentence_is_left(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """Analyzed, dead-lettered, then erased with its file: it is not in any store and not in any log."""
    files = write(tmp_path, "mill.txt", text(marker)), write(tmp_path, "shipyard.txt", OTHER)
    [document, other] = drop(stack, *files)
    topic = f"projects/{PROJECT}/topics/uploads"
    malformed = PubsubMessage(data=json.dumps({"what": marker, "who": PERSON}).encode())
    publisher().publish(topic=topic, messages=[malformed])
    until(lambda: list(firestore_client().collection("dead_letters").stream()))
    # What is looked for is there, so that its absence afterwards says something.
    for word in (marker, PERSON):
        assert {"passages", "documents", "outcomes"} <= collections_of(in_firestore(word)), word
        assert buckets_of(in_buckets(word)) == {"uploads", "work"}, word
    before = until(lambda: not (now := stored(other))["results_pending"] and now)  # announced

    [erased] = stack.json("erase", document, "--with-file", "--yes")

    assert (erased["id"], erased["files"]) == (document, 1)
    for word in (marker, PERSON, document):
        assert in_firestore(word) == set()
        assert in_buckets(word) == set()
    for word in (marker, PERSON, "mill.txt"):
        assert in_files(stack.data / "logs", word) == set()
    assert stored(other) == before
    assert buckets_of(in_buckets("shipyard")) == {"uploads", "work"}, "what is another document's stays"


def test_a_digest_quotes_it_no_more(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """Neither the record, nor its three files, nor the page that was put on this machine."""
    [document] = drop(stack, write(tmp_path, "quoted.txt", text(marker)))
    digest = stack.json("digest")
    for word in (marker, PERSON):
        assert "digests" in collections_of(in_firestore(word)), word
        assert len({place for place in in_buckets(word) if "-results/" in place}) == 3, word
        assert in_files(stack.data / "digests", word) == {f"{digest['id']}.html"}, word

    [erased] = stack.json("erase", document, "--with-file", "--yes")

    assert erased["digests"] == [digest["id"]]
    for word in (marker, PERSON, "quoted.txt"):
        assert in_firestore(word) | in_buckets(word) == set()
        assert in_files(stack.data / "digests", word) == set()
        assert in_files(stack.data / "logs", word) == set()
    listed = stack.json("digest", "list")["digests"]
    assert [one["redacted"] for one in listed if one["id"] == digest["id"]] == [True]


def test_a_file_that_stays_is_told_and_can_follow(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """By its name, since its record is gone; asked a third time there is nothing to erase."""
    [document] = drop(stack, write(tmp_path, "stays.txt", text(marker)))
    [erased] = stack.json("erase", "stays.txt", "--yes")
    assert (erased["id"], erased["files"]) == (document, 0)
    assert erased["stays"][0] == (
        f"The uploaded file, gs://{UPLOADS}/stays.txt. To delete it too: headrace erase --with-file stays.txt"
    )
    assert in_firestore(marker) == set()
    assert in_buckets(marker) == {f"{UPLOADS}/stays.txt"}
    [erased] = stack.json("erase", "stays.txt", "--with-file", "--yes")
    assert (erased["id"], erased["files"]) == (document, 1)
    assert in_buckets(marker) == set()
    again = stack.command("erase", "stays.txt", "--with-file", "--yes")
    assert (again.returncode, "There is no document stays.txt." in again.stderr) == (1, True)


def test_what_is_uploaded_again_is_analyzed_again(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """An erasure is of what was stored, and no ban; the new document begins at its first run."""
    path = write(tmp_path, "again.txt", text(marker))
    [document] = drop(stack, path)
    stack.json("erase", document, "--with-file", "--yes")
    assert drop(stack, path) == [document]
    assert (stored(document)["state"], stored(document)["run"]) == ("completed", 1)
    stack.json("erase", document, "--with-file", "--yes")
    assert in_firestore(marker) | in_buckets(marker) == set()


def test_members_of_an_archive_go_with_it(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """In whatever folder, and with their files; one beside it whose name begins alike stays."""
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("a/deep.txt", text(marker))
        archive.writestr("report.txt", text(marker).replace("41%", "42%"))
    [beside] = drop(stack, write(tmp_path, "outer.zip.txt", OTHER))
    drop(stack, outer)
    names = ["outer.zip", "outer.zip!/a/deep.txt", "outer.zip!/report.txt"]
    ids = {document_id(UPLOADS, name) for name in names}
    assert all(stored(identifier)["state"] == "completed" for identifier in ids)
    erased = stack.json("erase", "outer.zip", "--with-file", "--yes")
    assert {one["id"] for one in erased} == ids
    assert sum(one["files"] for one in erased) == len(names)
    assert in_firestore(marker) | in_buckets(marker) == set()
    assert stored(beside)["state"] == "completed"


def test_a_copy_under_another_name_is_told(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """It holds the same sentences, and is somebody's to erase too."""
    [first, second] = drop(
        stack, write(tmp_path, "one.txt", text(marker)), write(tmp_path, "two.txt", text(marker))
    )
    [erased] = stack.json("erase", first, "--with-file", "--yes")
    assert erased["copies"] == [second]
    assert f"Documents of the same content: {second}." in erased["stays"][0]
    assert in_firestore(marker) != set()
    [erased] = stack.json("erase", second, "--with-file", "--yes")
    assert erased["copies"] == []
    assert in_firestore(marker) | in_buckets(marker) == set()


def test_nothing_is_erased_unasked_or_while_it_is_worked_on(
    stack: RunningStack, tmp_path: Path, marker: str
) -> None:
    """Without a terminal it wants `--yes`; what is under way would be written again."""
    [document] = drop(stack, write(tmp_path, "busy.txt", text(marker)))
    unasked = stack.command("erase", document)
    assert (unasked.returncode, "use --yes" in unasked.stderr) == (2, True)
    reference = firestore_client().collection("documents").document(document)
    reference.update({"state": "analyzing"})
    busy = stack.command("erase", document, "--yes", "--with-file")
    assert (busy.returncode, "is still being worked on" in busy.stderr) == (1, True)
    assert in_buckets(marker) >= {f"{UPLOADS}/busy.txt"}
    reference.update({"state": "completed"})
    stack.json("erase", document, "--with-file", "--yes")
    assert in_firestore(marker) | in_buckets(marker) == set()


def test_documents_are_found_by_words(stack: RunningStack, tmp_path: Path, marker: str) -> None:
    """In whatever case and spacing, in passages, names and headings; nothing is erased by that."""
    headed = f"# Shipyard\n\n## Statement of {PERSON}\n\n{OTHER}\n"
    [document, other, under] = drop(
        stack,
        write(tmp_path, "found.txt", text(marker)),
        write(tmp_path, f"{PERSON}.txt", OTHER),
        write(tmp_path, "headed.md", headed),
    )
    sought = PERSON.upper().replace(" ", "\n ")
    found = {one["id"]: one for one in stack.json("erase", "--find", sought)}
    assert {document, other, under} == set(found)
    assert found[under]["passages"] == 1
    assert found[document]["passages"] == 2
    assert found[other] == {"id": other, "name": f"{PERSON}.txt", "passages": 0}
    assert stack.json("erase", "--find", "nobody of this name") == []
    assert stored(document)["state"] == "completed"
    for wrong in (["--find", " "], ["--find", PERSON, document], []):
        assert stack.command("erase", *wrong).returncode == 2
    stack.json("erase", document, other, under, "--with-file", "--yes")
    assert stack.json("erase", "--find", PERSON) == []


@pytest.mark.parametrize(
    ("answer", "status"), [pytest.param("n", 130, marks=pytest.mark.slow), ("", 130), ("y", 0)]
)
def test_on_a_terminal_it_asks(
    stack: RunningStack, tmp_path: Path, marker: str, answer: str, status: int
) -> None:
    """With the names of what would go; whatever is no yes erases nothing."""
    [document] = drop(stack, write(tmp_path, "asked.txt", text(marker)))
    terminal, inside = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    done = subprocess.run(
        [*HEADRACE, "erase", document, "--with-file", "--data", str(stack.data)],
        env=clean_environment(),
        stdin=inside,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    for end in (terminal, inside):
        os.close(end)
    assert done.returncode == status, done.stderr
    assert f"{document}  asked.txt" in done.stderr
    assert "This cannot be undone" in done.stderr
    assert bool(in_buckets(marker)) == bool(in_firestore(marker)) == (status != 0)
    stack.command("erase", document, "--with-file", "--yes")
