"""Mail: what its sender wrote, not what is quoted, signed or attached; any bytes end in text or a reason."""

from __future__ import annotations

import base64
import io
import re
import time
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.extract.markup.mail import _without_bulk, own_text, read_eml
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

BODY = "The second settling basin was finished in May.\n\nIt holds 900 cubic metres of water.\n"
SENTENCES = [
    Block("The second settling basin was finished in May."),
    Block("It holds 900 cubic metres of water."),
]


def read(tmp_path: Path, data: bytes, limits: Limits | None = None) -> Extracted:
    path = tmp_path / "message.eml"
    path.write_bytes(data)
    return read_eml(path, ExtractOptions(limits=limits or Limits()))


def message(subject: str = "News from the mill", body: str = BODY) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = "Ada Miller <ada@example.com>"
    made["To"] = "all@example.com"
    made["Date"] = "Tue, 24 Nov 2026 10:00:00 +0100"
    made["Subject"] = subject
    made.set_content(body)
    return made


def test_the_subject_is_title_and_heading_and_people_stay_out(tmp_path: Path) -> None:
    """Sender, recipients and date are no text."""
    extracted = read(tmp_path, bytes(message()))
    assert extracted == Extracted(
        "message/rfc822",
        "News from the mill",
        None,
        [Block("News from the mill", "heading"), *SENTENCES],
    )


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("Re: AW: Fwd: Water", "Water"),
        ("=?utf-8?q?M=C3=BChle?= am =?iso-8859-1?Q?Flu=DF?=", "M\u00fchle am Flu\u00df"),
        ("=?utf-8?b?TcO8aGxl?=", "M\u00fchle"),
        ("=?nonsense?q?M=C3=BChle?=", "M\u00fchle"),
        ("=?utf-8?b?=?=", None),
        ("=?utf-8?b?%%%?= x", None),
        ("M\u00fchle, raw", "M\u00fchle, raw"),
        ("Regarding water", "Regarding water"),
        ("(" * 5000, None),
        ("=?utf-8?q?" * 500, None),
        ("Water\r\n use", "Water use"),
    ],
)
def test_any_subject_is_decoded_or_left(header: str, title: str | None, tmp_path: Path) -> None:
    """None: whatever comes out, as long as the message is read."""
    extracted = read(tmp_path, f"Subject: {header}\r\n\r\n{BODY}".encode())
    assert extracted.blocks[-2:] == SENTENCES
    if title:
        assert extracted.title == title


def test_plain_text_is_preferred_and_html_read_where_there_is_none(tmp_path: Path) -> None:
    """An empty plain part, as newsletters send it, is none."""
    both = message()
    both.add_alternative("<p>The same in colours.</p>", subtype="html")
    assert read(tmp_path, bytes(both)).blocks[1:] == SENTENCES
    empty = message(body=" \n")
    empty.add_alternative(
        "<html><head><title>No</title></head><div class='gmail_quote'>Quoted.</div><p>In colours.</p>"
        "<blockquote type=cite><p>Quoted too.</p></blockquote></html>",
        subtype="html",
    )
    assert read(tmp_path, bytes(empty)).blocks[1:] == [Block("In colours.")]


def test_attachments_are_counted_and_not_read(tmp_path: Path) -> None:
    """Pictures that belong to the HTML are none."""
    made = message()
    made.add_alternative("<p>The same in colours.</p>", subtype="html")
    made.get_payload(1).add_related(b"GIF89a", "image", "gif", cid="<a>")  # type: ignore[union-attr] # a part
    made.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
    made.add_attachment("Attached text is not the sender's.", filename="b.txt")
    extracted = read(tmp_path, bytes(made))
    assert extracted.blocks[1:] == SENTENCES
    assert extracted.warnings == ["2 attachments were not read"]


def test_forwarded_messages_are_read_to_a_depth(tmp_path: Path) -> None:
    """Their subjects are headings; below the limit a warning says that something was left out."""
    made = message("Level 0", "Text of level 0.\n")
    for level in range(1, 40):
        outer = message(f"Level {level}", f"Text of level {level}.\n")
        outer.add_attachment(made)
        made = outer
    everything = read(tmp_path, bytes(made))
    assert everything.title == "Level 39"
    assert [block.text for block in everything.blocks[::2]] == [f"Level {39 - at}" for at in range(40)]
    some = read(tmp_path, bytes(made), Limits(depth=10))
    assert 2 < len(some.blocks) < 20
    assert some.warnings == ["messages nested deeper than 10 levels were not read"]


@pytest.mark.parametrize("depth", [2_000, 20_000])
def test_an_abyss_of_messages_is_rejected(depth: int, tmp_path: Path) -> None:
    """The parser of the standard library gives up at the depth of Python's stack, and soon."""
    for nested in (
        "Content-Type: message/rfc822\n\n" * depth,
        "".join(f"Content-Type: multipart/mixed; boundary={at}\n\n--{at}\n" for at in range(depth)),
    ):
        with pytest.raises(Rejected) as caught:
            read(tmp_path, f"Subject: x\n{nested}\n\nText.".encode())
        assert caught.value.code == "nested_too_deep"


def test_the_bulk_of_attachments_is_passed_over(tmp_path: Path) -> None:
    """Of 48 MB the parser sees 32, since it takes three times as much; the text is whole."""
    part = "--b\nContent-Transfer-Encoding: base64\nContent-Type: {}\n\n"
    text = part.format("text/plain") + base64.encodebytes(BODY.encode()).decode()
    bulk = part.format("application/pdf") + ("A" * 76 + "\n") * 650_000
    data = f"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{text}{bulk}--b--\n".encode()
    assert sum(map(len, _without_bulk(io.BytesIO(data), Limits()))) < 33 * 1024 * 1024
    extracted = read(tmp_path, data)
    assert extracted.blocks[1:] == SENTENCES
    assert extracted.warnings == ["1 attachment was not read"]


def test_a_message_longer_than_any_text_is_not_taken_apart(tmp_path: Path) -> None:
    """Four bytes are the most that a character takes."""
    with pytest.raises(Rejected) as caught:
        read(tmp_path, b"Subject: x\n\n" + b"A line of words.\n" * 1_000, Limits(characters=4_000))
    assert caught.value.code == "too_many_characters"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("us-ascii", "utf-8"),
        ("iso-8859-1", "cp1252"),
        ("utf-8", "cp1252"),
        ("nonsense", "utf-8"),
        ("", "utf-8"),
        ("unicode_escape", "utf-8"),
    ],
)
def test_wrong_charsets_do_no_harm(declared: str, encoding: str, tmp_path: Path) -> None:
    """The bytes are believed first."""
    head = f"Subject: x\nContent-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: 8bit\n\n"
    extracted = read(tmp_path, head.encode() + "Die M\u00fchle kostet 5 \u20ac je Tag.".encode(encoding))
    assert extracted.blocks[-1] == Block("Die M\u00fchle kostet 5 \u20ac je Tag.")


def test_what_is_unpacked_is_counted(tmp_path: Path) -> None:
    """Over all parts of the message."""
    made = message()
    for _ in range(5):
        made.add_attachment("word " * 300, disposition="inline", cte="base64")
    assert read(tmp_path, bytes(made)).blocks
    with pytest.raises(Rejected) as caught:
        read(tmp_path, bytes(made), Limits(inflated_bytes=5_000))
    assert caught.value.code == "inflates_too_much"
    with pytest.raises(Rejected) as caught:
        read(tmp_path, bytes(made), Limits(characters=5_000))
    assert caught.value.code == "too_many_characters"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Agreed.\n\nOn Mon, 3 Jun 2024 at 10:01, Ada <a@b.c> wrote:\n> Old.\n>> Older.\n", "Agreed."),
        ("Agreed.\n\nOn Mon, 3 Jun 2024 at 10:01, Ada Miller of the\nMill wrote:\n\n> Old.\n", "Agreed."),
        ("Einverstanden.\n\nAm 03.06.24 um 10:01 schrieb Ada:\n> Alt.\n", "Einverstanden."),
        ("> Is it done?\nYes, since May.\n> And the other?\nNo.\n", "Yes, since May.\n\nNo."),
        ("Agreed.\n\n-----Original Message-----\nFrom: Ada\nSent: Monday\nSubject: x\n\nOld.\n", "Agreed."),
        (
            "Agreed.\n________________________________\nVon: Ada\nGesendet: heute\nBetreff: x\n\nAlt.\n",
            "Agreed.",
        ),
        (
            "See below.\n\n---------- Forwarded message ---------\nFrom: Ada\nDate: today\n\nNews.\n",
            "See below.\n\nNews.",
        ),
        ("Agreed.\n-- \nAda Miller\nMill plc\n", "Agreed."),
        ("Agreed.\n\nSent from my phone\n", "Agreed."),
        ("> All of it is quoted.\n> And this.\n", "All of it is quoted.\n And this."),
        ("One.\n--\n" + "Two.\n" * 20, "One.\n--\n" + "Two.\n" * 19 + "Two."),  # a rule, not a signature
        ("On the river, as he wrote: nothing.\n", "On the river, as he wrote: nothing."),
        ("", ""),
    ],
)
def test_only_the_senders_own_words_are_kept(text: str, own: str) -> None:
    """A message that is nothing but a quote is one that its sender wants read."""
    assert re.sub(r"\n{2,}", "\n\n", own_text(text)).strip() == own


@pytest.mark.parametrize(
    "text",
    [
        "-- \n" * 200_000,
        "> a\n\n" * 200_000,
        "On a\n" * 200_000,
        "On " + "a " * 500_000 + "\n> b",
        "_" * 1_000_000,
    ],
    ids=["signatures", "quotes", "introductions", "line", "rule"],
)
def test_quotes_are_found_in_one_pass(text: str) -> None:
    """Hostile text takes no longer than other text of its size."""
    started = time.process_time()
    own_text(text)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("data", [b"Subject: x\n\n", b"Subject: x\n\n---\n", b"\n", b"Subject: only"])
def test_a_message_without_text_is_rejected(data: bytes, tmp_path: Path) -> None:
    """A subject alone is nothing to analyze."""
    with pytest.raises(Rejected) as caught:
        read(tmp_path, data)
    assert caught.value.code == "no_text"


def test_tables_of_a_mail_are_tables_and_its_layout_is_prose(tmp_path: Path) -> None:
    """In the part of HTML; a newsletter's columns are no table. Columns of plain text are one too."""
    body = (
        "<table><tr><td>Dear all, these are the figures of our mills for the board, as they were agreed."
        "<table><tr><th>Mill<th>2023<tr><td>Alne<td>12</table><td>With kind regards, the board.</table>"
    )
    extracted = read(tmp_path, f"Subject: Water\nContent-Type: text/html\n\n{body}".encode())
    assert [(block.kind, block.text) for block in extracted.blocks] == [
        ("heading", "Water"),
        ("text", "Dear all, these are the figures of our mills for the board, as they were agreed."),
        ("table", "Mill > Alne | 2023: 12"),
        ("text", "With kind regards, the board."),
    ]
    assert len(extracted.tables) == 1
    drawn = "             2023    2022\nAlne           12      11\nBurn            9       8\n"
    extracted = read(tmp_path, f"Subject: Water\n\nHere they are.\n\n{drawn}".encode())
    assert [block.text for block in extracted.blocks if block.kind == "table"] == [
        "Alne | 2023: 12; 2022: 11",
        "Burn | 2023: 9; 2022: 8",
    ]


_LINES = st.sampled_from(
    [
        *("Subject: =?utf-8?b?w6k?=", "Content-Type: multipart/mixed; boundary=b", "Content-Type: text/html"),
        *(
            "Content-Type: message/rfc822",
            "Content-Type: text/plain; charset*0=utf-; charset*1*=x'8",
            "--b",
            "--b--",
        ),
        *(
            "Content-Transfer-Encoding: base64",
            "Content-Transfer-Encoding: quoted-printable",
            "Content-Type: ;;=",
        ),
        *(
            "Content-Transfer-Encoding: uuencode",
            "begin 644 x",
            "#0V%T",
            "Content-Disposition: attachment",
            "",
        ),
        *(
            "Content-Type: multipart/alternative",
            "Content-Type: message/delivery-status",
            "bGluZQ=",
            "=C3=A9=",
            ">q",
        ),
        *(" folded", "A line of words.", "<p>words", "\u00e9", "\0", "Content-Type: message/partial", "-- "),
    ]
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_LINES, max_size=40), junk=st.binary(max_size=60))
def test_any_message_is_read_or_rejected(lines: list[str], junk: bytes, tmp_path: Path) -> None:
    """Nothing but Rejected comes out of it."""
    try:
        extracted = read(tmp_path, "\n".join(lines).encode() + junk)
    except Rejected:
        return
    assert extracted.blocks
