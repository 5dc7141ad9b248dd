"""Books: chapters in the order of the spine, nothing of a protected one, and no damage by a hostile one."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.extract.markup.epub import read_epub
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
METADATA = (
    "<dc:title>A year at the mill</dc:title><dc:creator>Ada Miller</dc:creator>"
    "<dc:publisher>Mill Press</dc:publisher>"
)
MANIFEST = (
    '<item id="two" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="one" href="text/one.xhtml#top" media-type="application/xhtml+xml"/>'
    '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    '<item id="cover" href="cover.jpg" media-type="image/jpeg"/>'
)
SPINE = "".join(f'<itemref idref="{name}"/>' for name in ("cover", "nav", "one", "two", "one"))


def package(metadata: str = METADATA, manifest: str = MANIFEST, spine: str = SPINE, doctype: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{doctype}<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f"<manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    )


def chapter(heading: str, text: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
        f'<script src="x.js"/></head><body><h1>{heading}</h1><p>{text}</p></body></html>'
    )


FILES = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": package(),
    "OEBPS/nav.xhtml": chapter("Contents", "Where to find what."),
    "OEBPS/text/one.xhtml": chapter("Spring", "The basin was finished in May."),
    "OEBPS/text/two b.xhtml": chapter("Autumn", "The river was low in October."),
    "OEBPS/cover.jpg": "",
}


def read(tmp_path: Path, files: dict[str, str], limits: Limits | None = None) -> Extracted:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return read_epub(path, ExtractOptions(limits=limits or Limits()))


def test_chapters_follow_the_spine(tmp_path: Path) -> None:
    """Each once, without navigation; XHTML's empty elements swallow nothing."""
    assert read(tmp_path, FILES) == Extracted(
        "application/epub+zip",
        "A year at the mill",
        None,
        [
            Block("Spring", "heading"),
            Block("The basin was finished in May."),
            Block("Autumn", "heading"),
            Block("The river was low in October."),
        ],
        organisation="Mill Press",
    )


@pytest.mark.parametrize(
    ("metadata", "organisation"),
    [
        ("<dc:creator>Ada Miller</dc:creator>", None),
        (
            "<dc:creator>Alnemill Paper plc</dc:creator><dc:publisher>Mill Press</dc:publisher>",
            "Alnemill Paper plc",
        ),
        ("<dc:creator>Ada Miller</dc:creator><dc:publisher>Mill Press</dc:publisher>", "Mill Press"),
        ("<dc:creator/><dc:publisher> </dc:publisher>", None),
    ],
)
def test_the_organisation_is_one(metadata: str, organisation: str | None, tmp_path: Path) -> None:
    """A creator may be a person, a publisher is none."""
    assert read(tmp_path, FILES | {"OEBPS/book.opf": package(metadata)}).organisation == organisation


def encryption(algorithm: str, target: str) -> dict[str, str]:
    return {
        "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:EncryptionMethod '
        f'Algorithm="{algorithm}"/><e:CipherData><e:CipherReference URI="{target}"/></e:CipherData>'
        "</e:EncryptedData></encryption>"
    }


def test_a_protected_book_is_rejected_and_one_with_hidden_fonts_read(tmp_path: Path) -> None:
    """Fonts are mangled in many books that anybody may read."""
    aes = encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/text/one.xhtml")
    with pytest.raises(Rejected) as caught:
        read(tmp_path, FILES | aes)
    assert caught.value.code == "encrypted"
    fonts = encryption("http://www.idpf.org/2008/embedding", "OEBPS/fonts/a.otf")
    assert len(read(tmp_path, FILES | fonts).blocks) == 4


def test_a_missing_chapter_is_a_warning(tmp_path: Path) -> None:
    """The others are read."""
    extracted = read(tmp_path, {name: text for name, text in FILES.items() if "one" not in name})
    assert [block.text for block in extracted.blocks] == ["Autumn", "The river was low in October."]
    assert extracted.warnings == ["chapters that the book names and does not hold: 1"]


def test_a_book_without_container_is_read_by_its_package(tmp_path: Path) -> None:
    """And one whose container points nowhere."""
    for container in (None, CONTAINER.replace("book.opf", "other.opf")):
        files = {name: text for name, text in FILES.items() if name != "META-INF/container.xml"}
        if container:
            files["META-INF/container.xml"] = container
        assert len(read(tmp_path, files).blocks) == 4


BOMB = (
    '<!DOCTYPE package [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"OEBPS/book.opf": package(doctype=BOMB)}, "unreadable_document"),
        ({"OEBPS/book.opf": "<package><unclosed>"}, "unreadable_document"),
        ({"OEBPS/book.opf": ""}, "unreadable_document"),
        ({"META-INF/container.xml": "junk"}, "unreadable_document"),
        ({"META-INF/encryption.xml": "junk"}, "unreadable_document"),
        ({"OEBPS/book.opf": package(manifest='<item id="a"/>' * 60_000)}, "unreadable_document"),
        ({"OEBPS/book.opf": package(spine="")}, "no_text"),
        ({"OEBPS/book.opf": package(manifest='<item/><item id="one"/>')}, "no_text"),
        ({"OEBPS/text/one.xhtml": "<p>" + "0" * 50_000_000}, "inflates_too_much"),
        ({"OEBPS/text/one.xhtml": "<p>words " * 60_000}, "too_many_characters"),
    ],
    ids=[
        "entities",
        "unclosed",
        "empty",
        "container",
        "encryption",
        "huge",
        "spine",
        "items",
        "bomb",
        "long",
    ],
)
def test_a_broken_or_hostile_book_is_rejected(files: dict[str, str], code: str, tmp_path: Path) -> None:
    """With the reason; nothing is expanded, fetched or read beyond the limits."""
    with pytest.raises(Rejected) as caught:
        read(tmp_path, FILES | files, Limits(characters=300_000))
    assert caught.value.code == code


def test_a_document_type_without_entities_is_no_reason(tmp_path: Path) -> None:
    """Old books have one; it is not fetched."""
    doctype = '<!DOCTYPE package PUBLIC "-//Example//DTD Package//EN" "http://example.invalid/package.dtd">'
    assert len(read(tmp_path, FILES | {"OEBPS/book.opf": package(doctype=doctype)}).blocks) == 4


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([name for name in FILES if name.endswith(("xml", "opf", "xhtml"))]),
    at=st.floats(0, 1),
    junk=st.binary(max_size=20),
    cut=st.integers(0, 40),
)
def test_any_damage_is_read_or_rejected(name: str, at: float, junk: bytes, cut: int, tmp_path: Path) -> None:
    """Nothing but Rejected comes out of a book with a piece of it replaced."""
    data = FILES[name].encode()
    where = int(at * len(data))
    damaged = (data[:where] + junk + data[where + cut :]).decode("utf-8", "replace")
    try:
        extracted = read(tmp_path, FILES | {name: damaged})
    except Rejected:
        return
    assert extracted.blocks
