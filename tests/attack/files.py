"""Files made to do harm, to fill a record to its limit, or to smuggle personal data past the redaction."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from random import Random
from typing import TYPE_CHECKING

from reportlab.pdfgen.canvas import Canvas

from tests.fuzz.corpus import SAMPLES, corpus, zipped
from tests.fuzz.mutations import mutate

if TYPE_CHECKING:
    from collections.abc import Iterator

MUTANTS = 40
SAID = "We cut our emissions of carbon dioxide by 5 percent in the year 2025."
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LONG_RUNS = (
    "A;",
    "a@",
    "x.",
    "1 ",
    "1,",
    "(",
    " -",
    "www.",
    "http://a",
    '"',
    "'s ",
    "| ",
    "A. ",
    "\u00e9",
    "0-",
)
"""Repeated, each is the worst of some kind of pattern."""


def hostile(seed: int) -> dict[str, bytes]:
    """Files by name that try to cost a reader time, memory or its life."""
    files = {f"run-{at:02}.txt": (part * 200_000 + " " + SAID).encode() for at, part in enumerate(_LONG_RUNS)}
    files |= {
        "word.txt": b"w" * 3_000_000,
        "control.txt": f"\x07\x1b[31m{SAID}\x1b[0m\r\n\n{SAID}\x00".encode(),
        "nul.csv": b"id,text\n" + b"".join(b"%d,%s\x00\n" % (n, SAID.encode()) for n in range(50)),
        "quote.csv": b'id,text\n1,"' + b"a,b\n" * 200_000,
        "wide.csv": b",".join(b"c%d" % n for n in range(3_000)) + b"\n" + b"1," * 3_000 + b"\n",
        "deep.json": b"[" * 2_000_000,
        "deep-object.json": b'{"a":' * 500_000 + b"1" + b"}" * 500_000,
        "number.json": b"[" + b"9" * 3_000_000 + b"]",
        "deep.html": b"<div>" * 1_000_000,
        "attributes.html": b"<p " + b"".join(b"a%d=1 " % n for n in range(300_000)) + b">" + SAID.encode(),
        "entities.html": b"<p>" + b"&amp;" * 1_000_000,
        "tables.html": b"<table><tr><td>" * 50_000 + SAID.encode(),
        "parts.eml": _mail(100_000),
        "nested.eml": _nested_mail(2_000),
        "header.eml": b"From: a@example.org\nSubject: "
        + b"=?utf-8?q?a?= " * 100_000
        + b"\n\n"
        + SAID.encode(),
        "bomb.gz": gzip.compress(bytes(600_000_000), 1),
        "bomb.zip": _bomb(),
        "many.zip": zipped({f"{n}.txt": "" for n in range(20_000)}),
        "paths.zip": zipped({"../../etc/passwd": SAID, "/abs.txt": SAID + " ", "c:\\x.txt": SAID + "  "}),
        "cells.xlsx": _cells(1_000, 1_000),
        "far.xlsx": _book('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        "laughs.docx": zipped({"[Content_Types].xml": _LAUGHS, "word/document.xml": _LAUGHS}),
        "xref.pdf": _lying_pdf(),
        "count.pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R]"
        b"/Count 2147483647>>endobj trailer<</Root 1 0 R>>",
        "stream.pdf": _streaming_pdf(),
        "nothing.pdf": b"%PDF-1.7\n",
        "zeros.bin": bytes(5_000_000),
    }
    random = Random(seed)
    sound = {suffix: kept for suffix, kept in corpus().items() if kept}
    for number in range(MUTANTS):
        suffix = random.choice(sorted(sound))
        data, other = random.choice(sound[suffix]), random.choice(random.choice(list(sound.values())))
        files[f"mutant-{number}{suffix}"] = mutate(data, suffix, other, random)
    return files


def tricky() -> dict[str, bytes]:
    """The tricky files of the samples, where they are; the largest left out."""
    folder = SAMPLES / "tricky"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*")) if path.stat().st_size}


def odd_names() -> list[str]:
    """Names that a terminal, a path or a page could stumble over."""
    return [
        *(
            "line\nfeed.txt",
            "esc\x1b[2J.txt",
            "bell\x07.txt",
            "a\u202ecod.txt",
            "zero\u200bwidth.txt",
            "tab\t.txt",
        ),
        *(
            "..%2f..%2fetc",
            "%00.txt",
            "'\";--.txt",
            "<script>.txt",
            "$(reboot).txt",
            "=1+1.txt",
            "\u6c34" * 60,
        ),
        *(
            "a/b/c.txt",
            " leading.txt",
            "trailing .txt",
            "\U0001f525.txt",
            "e\u0301.txt",
            "\u00e9.txt",
            "NUL",
            "-rf",
        ),
    ]


def large() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Sound files, with metadata, that fill some record as far as they can; each is to complete."""
    wide = "\U0001d400" * 200
    yield "words.txt", "\n\n".join(f"{SAID} " + f"{wide} " * 210 for _ in range(64)).encode(), {}
    yield "blobs.md", "\n\n".join(f"{SAID} " + "xA9+/" * 4_000 for _ in range(80)).encode(), {}
    yield "title.html", f"<h1>{f'{SAID} ' * 20_000}</h1><p>{SAID}</p>".encode(), {}
    # Cloud Storage takes 8 KiB of metadata; fake-gcs-server no more than an extended attribute holds.
    names = ",".join(f"column {n} {'x' * 500}" for n in range(1_900))
    yield "columns.csv", f"text,{names}\n".encode() + (SAID + "," * 1_900 + "\n").encode() * 5, {}
    cells = "\U0001d400 " * 1_900
    yield "rows.csv", ("text,label\n" + f"{SAID} {cells},{'l' * 190}\n" * 200).encode(), {}
    yield (
        "keys.jsonl",
        (json.dumps({f"k{n}": 1 for n in range(1_990)} | {"text": SAID}) + "\n").encode() * 5,
        {},
    )
    yield "lines.jsonl", (json.dumps({"text": SAID}) + "\n" + "not json\n" * 9).encode() * 2_000, {}
    yield "figures.txt", "\n\n".join(SAID + " 1 t 2 t 3%" * 80 for _ in range(70)).encode(), {}
    yield "metadata.txt", SAID.encode(), {f"k{n}": "v" * 1_000 for n in range(3)}
    subject = f"Subject: {SAID * 20_000}\n\n{SAID}\n"
    yield "subject.eml", b"From: a@example.org\nMessage-ID: <a@b>\nMIME-Version: 1.0\n" + subject.encode(), {}
    yield "members.zip", zipped({f"{'m' * 60_000}{n}.txt": SAID for n in range(9)} | {"fine.txt": SAID}), {}
    yield "hidden.xlsx", _hidden_sheets(), {}
    yield "pages.pdf", _pages(1_000), {}
    yield "page.pdf", _wide_page(), {}
    yield ("n" * 150) + ".txt", (SAID + " Again.").encode(), {}
    yield "languages.txt", _languages(), {}


PERSONAL = {
    "email": "jane.roe@example.com",
    "iban": "DE89 3704 0044 0532 0130 00",
    "card": "4111 1111 1111 1111",
    "ip": "192.168.10.25",
    "phone": "+49 89 4277 1345",
    "ssn": "078-05-1120",
}


def personal() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Files that hold personal data wherever a format has room for some."""
    data = "; ".join(f"{kind}: {value}" for kind, value in PERSONAL.items())
    email = PERSONAL["email"]
    say = f"{SAID} Write to {email}. We have {data}. All of it was noted."
    yield "personal.txt", f"# Letter of {email}\n\n{say}\n\n{say}".encode(), {}
    yield "personal.csv", ("text,label\n" + f'"{say}",{email}\n' * 5).encode(), {}
    yield "personal-header.csv", f"{email},b\n{say.replace(',', '')},1\n".encode(), {"text-column": "nowhere"}
    yield (
        "personal-key.jsonl",
        (json.dumps({email: 1, "b": 2}) + "\n").encode() * 3,
        {"text-column": "nowhere"},
    )
    record = json.dumps({"text": say, "label": email, email: 1}) + "\n"
    yield "personal.jsonl", record.encode() * 5, {}
    yield "personal.html", f"<title>{email}</title><h1>{say}</h1><p>{say}</p>".encode(), {}
    mail = f"From: Jane <{email}>\nTo: {email}\nSubject: About {data}\nMessage-ID: <{email}>\n"
    yield "personal.eml", f"{mail}MIME-Version: 1.0\n\n{say}\n".encode(), {}
    yield "personal.xlsx", _book(_row(say), name=email, hidden=email), {}
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=True)
    canvas.setTitle(email)
    canvas.setAuthor(email)
    canvas.bookmarkPage("a")
    canvas.addOutlineEntry(email, "a")
    for at, line in enumerate(say[start : start + 90] for start in range(0, len(say), 90)):
        canvas.drawString(40, 700 - 14 * at, line)
    canvas.save()
    yield "personal.pdf", buffer.getvalue(), {}
    yield "personal.zip", zipped({"inner.txt": f"{say} Once more."}), {}


def _mail(parts: int) -> bytes:
    head = b'From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
    return head + b"--b\nContent-Type: text/plain\n\nWe cut waste.\n" * parts + b"--b--\n"


def _nested_mail(depth: int) -> bytes:
    part = b"From: a@example.org\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
    return part * depth + b"Subject: x\n\n" + SAID.encode()


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.txt", bytes(40_000_000))
    return buffer.getvalue()


_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><l>&j;</l>"
)


def _book(rows: str, name: str = "Data", hidden: str | None = None) -> bytes:
    """An Excel file; `hidden` names a hidden sheet of the same rows."""
    book = corpus()[".xlsx"][0]
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        members = {one: archive.read(one).decode() for one in archive.namelist()}
    members["xl/worksheets/sheet1.xml"] = (
        f'<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    )
    sheets = f'<sheet name="{name}" sheetId="1" r:id="rId1"/>'
    if hidden:
        sheets += f'<sheet name="{hidden}" sheetId="2" state="hidden" r:id="rId1"/>'
    members["xl/workbook.xml"] = members["xl/workbook.xml"].replace(
        '<sheet name="Reviews" sheetId="1" r:id="rId1"/>', sheets
    )
    return zipped(members)


def _row(text: str) -> str:
    cell = f'<c t="inlineStr"><is><t>{text}</t></is></c>'
    return f'<row><c t="inlineStr"><is><t>text</t></is></c></row><row>{cell}</row><row>{cell}</row>'


def _hidden_sheets() -> bytes:
    data = _book(_row(SAID), hidden="H0")
    more = "".join(
        f'<sheet name="H{"h" * 25}{n}" sheetId="{n + 3}" state="hidden" r:id="rId1"/>' for n in range(250)
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one: archive.read(one).decode() for one in archive.namelist()}
    members["xl/workbook.xml"] = members["xl/workbook.xml"].replace("</sheets>", more + "</sheets>")
    return zipped(members)


def _cells(rows: int, columns: int) -> bytes:
    row = "<row>" + "<c><v>1</v></c>" * columns + "</row>"
    return _book(row * rows)


def _lying_pdf() -> bytes:
    data = corpus()[".pdf"][0]
    at = data.rfind(b"startxref")
    return data[:at].replace(b"0000000015", b"9999999999") + b"startxref\n99999999999999\n%%EOF"


def _streaming_pdf() -> bytes:
    """A content stream that inflates to 150 MB of operators."""
    packed = zlib.compress(b"0 0 m 9 9 l S " * 10_000_000, 1)
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(packed), packed),
    )
    body = b"".join(b"%d 0 obj%b endobj\n" % numbered for numbered in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R>>"


def _pages(count: int) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=True, pageCompression=1)
    for page in range(count):
        canvas.bookmarkPage(str(page))
        canvas.addOutlineEntry(f"Part {page} " + "o" * 500, str(page))
        canvas.drawString(72, 700, f"Page {page}: {SAID}" if page % 10 == 0 else str(page))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _wide_page() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(400_000, 20_000), invariant=True, pageCompression=1)
    canvas.drawString(72, 19_000, SAID)
    for line in range(14):
        canvas.drawString(72, 18_000 - 20 * line, "q" * 60_000)
    canvas.save()
    return buffer.getvalue()


def _languages() -> bytes:
    several = (
        "Die Anlage am Fluss hat im Jahr 2024 viel weniger Wasser verbraucht als in den letzten Jahren.",
        "L'usine du bord de la rivi\u00e8re a consomm\u00e9 moins d'eau que pendant les autres mois.",
        "La planta junto al r\u00edo consumi\u00f3 mucha menos agua que durante los a\u00f1os anteriores.",
        SAID,
    )
    return "\n\n".join(f"{text} {n}." for n in range(60) for text in several).encode()
