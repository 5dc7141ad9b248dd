"""Read e-mail: its author's text, without quoted messages."""

from __future__ import annotations

import io
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesFeedParser
from typing import TYPE_CHECKING, cast

from shared.extract.decode import texts
from shared.extract.markup.html import read_page
from shared.extract.plain import paragraphs
from shared.extract.refusals import inflates_too_much, no_text, too_many_characters
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.tables import Tables
from shared.extract.tidy import squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path
    from typing import BinaryIO

    from shared.extract.shapes import ExtractOptions, Limits


_QUOTED = re.compile(r"\s{0,3}>")
_WROTE = re.compile(
    r"""(?isx) (?:on|am|le|il|el|em|op|den) \s .{3,300}?
    \b (?:wrote|writes|schrieb|a\ \u00e9crit|ha\ scritto|escribi\u00f3|escreveu|schreef|skrev) \b
    .{0,120} :$"""
)
_ORIGINAL = re.compile(
    r"""(?ix) \s* (?: -{2,} \s* (?:original\ message|urspr\u00fcngliche\ nachricht|message\ d'origine
    |messaggio\ originale|mensaje\ original) \s* -{2,} | _{20,} ) \s* $"""
)
_FORWARDED = re.compile(
    r"""(?ix) \s* (?: -{2,} \s* (?:forwarded\ message|weitergeleitete\ nachricht|message\ transf\u00e9r\u00e9
    |messaggio\ inoltrato|mensaje\ reenviado) \b .{0,80}
    | begin\ forwarded\ message: | anfang\ der\ weitergeleiteten\ nachricht: ) \s* $"""
)
_HEADER = re.compile(
    r"""(?x) \s* \*? (?:From|Sent|Date|To|Cc|Bcc|Subject|Reply-To|Von|Gesendet|Datum|An|Betreff|De|Envoy\u00e9
    |\u00c0|Objet|Da|Inviato|A|Oggetto|Enviado|Para|Asunto) \s? :"""
)
_SIGNATURE = re.compile(r"--\s?$")
_SENT_FROM = re.compile(
    r"(?i)\s*(?:sent from (?:my|outlook|mail)|von meinem|envoy\u00e9 de mon|inviato da)\b.{0,80}$"
)
_MAX_SIGNATURE = 15  # lines below the two hyphens: more is text that happens to follow them
_MAX_INTRODUCTION = 3  # lines that "On such a day, so-and-so wrote:" may be broken into
_MAX_HEADERS = 10


def own_text(text: str) -> str:
    """Return the text without quoted replies and signature; if nothing else is left, the quoted text."""
    lines = text.split("\n")
    own = _without_quotes(_without_signature(_above_original(lines)))
    if _has_words(own):
        return "\n".join(own)
    return "\n".join(_QUOTED.sub("", line) for line in _without_headers(lines))


def _above_original(lines: list[str]) -> list[str]:
    """Cut a reply where the original message begins below it; keep the text of a forwarded message."""
    for at, line in enumerate(lines):
        if _FORWARDED.match(line):
            return [*lines[:at], "", *_without_headers(lines[at + 1 :])]
        if _ORIGINAL.match(line) and any(map(_HEADER.match, lines[at + 1 : at + 4])):
            return lines[:at] if _has_words(lines[:at]) else _without_headers(lines[at + 1 :])
    return lines


def _without_headers(lines: list[str]) -> list[str]:
    """Remove the lines that repeat the headers of a forwarded or quoted message."""
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    head = lines[start : start + _MAX_HEADERS]
    count = next((at for at, line in enumerate(head) if not _HEADER.match(line)), len(head))
    return lines[start + count :] if count > 1 else lines


def _without_signature(lines: list[str]) -> list[str]:
    kept = [line for line in lines if not _SENT_FROM.match(line)]
    for at, line in enumerate(kept):
        if not _SIGNATURE.match(line):
            continue
        below = kept[at + 1 : at + _MAX_SIGNATURE + 2]
        length = next((count for count, line in enumerate(below) if _QUOTED.match(line)), len(below))
        if length <= _MAX_SIGNATURE:
            return [*kept[:at], *kept[at + 1 + length :]]
    return kept


def _without_quotes(lines: list[str]) -> list[str]:
    kept: list[str] = []
    quoting = False
    for line in lines:
        quoted = _QUOTED.match(line) is not None
        if quoted and not quoting:
            _drop_introduction(kept)
            kept.append("")
        quoting = quoted or (quoting and not line.strip())
        if not quoting:
            kept.append(line)
    _drop_introduction(kept)
    return kept


def _drop_introduction(kept: list[str]) -> None:
    """Remove the last lines if they introduce the quote below."""
    while kept and not kept[-1].strip():
        kept.pop()
    for count in range(1, _MAX_INTRODUCTION + 1):
        if _WROTE.match("\n".join(kept[-count:]).strip()):
            del kept[-count:]
            return


def _has_words(lines: list[str]) -> bool:
    return any(char.isalnum() for line in lines for char in line)


_REPLY = re.compile(r"(?i)^(?:(?:re|aw|antw|sv|fwd?|wg|tr|rv|i|r)\s*+(?:\[\d+\]\s*+)?:\s*+)+")
_MAX_HEADER = 2_000  # characters
_STEP = 65_536  # bytes
_ENCODED = re.compile(rb"[A-Za-z0-9+/=]{40,}\s*$")  # a line of base64
_MAX_ENCODED = 32 * 1024 * 1024  # bytes of base64: text comes before attachments, and is smaller
_MAX_WIDTH = 4  # bytes of a character
_MESSAGES = {"message/rfc822", "message/global"}
_SILENT = {"multipart/related", "multipart/signed"}  # their further parts are pictures and signatures


def read_eml(path: Path, options: ExtractOptions) -> Extracted:
    """Return the subject as a heading, then the text of the message and of messages attached to it.

    Raises Rejected(`no_text`, `inflates_too_much`, `too_many_characters`, `nested_too_deep`).
    """
    try:
        with path.open("rb") as file:
            # The older policy: the newer one parses headers by a grammar, which hostile ones can break.
            parser = BytesFeedParser()
            for line in _without_bulk(file, options.limits):
                parser.feed(line)
            message = parser.close()
    except RecursionError:
        raise Rejected(
            "nested_too_deep",
            "The message holds messages within messages, too many levels deep.",
            "Upload the innermost messages on their own.",
        ) from None
    reader = _Reader(options.limits)
    reader.read_message(message, 0)
    if not has_words([block for block in reader.blocks if block.kind != "heading"]):
        raise no_text(
            "The message holds no text of its own.",
            "If the text is in an attachment, save the attachment and upload it.",
        )
    title = _subject(message)
    organisation = squeeze(_header(message, "Organization")) or None
    return Extracted(
        "message/rfc822",
        title,
        None,
        reader.blocks,
        reader.warnings(),
        organisation=organisation,
        tables=reader.tables.found,
    )


def _without_bulk(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """Yield the message's lines, or parts of long ones, without most of the attachments' bytes.

    The parser keeps every line, at three times its size.
    """
    encoded, other = _MAX_ENCODED, _MAX_WIDTH * limits.characters
    while line := file.readline(_STEP):
        if _ENCODED.match(line):
            encoded -= len(line)
            if encoded < 0:
                continue
        else:
            other -= len(line)
            if other < 0:
                raise too_many_characters(limits)
        yield line


class _Reader:
    """Reads the parts of a message in order."""

    def __init__(self, limits: Limits) -> None:
        self.blocks: list[Block] = []
        self.tables = Tables(limits)
        self._limits = limits
        self._attachments = 0
        self._too_deep = 0
        self._bytes_left = limits.inflated_bytes
        self._characters_left = limits.characters

    def warnings(self) -> list[str]:
        """Describe what was left out."""
        count, warnings = self._attachments, []
        if count:
            what = "1 attachment was" if count == 1 else f"{count:,} attachments were"
            warnings.append(f"{what} not read")
        if self._too_deep:
            warnings.append(f"messages nested deeper than {self._limits.depth} levels were not read")
        return warnings

    def read_message(self, message: Message, depth: int) -> None:
        """Add the message's subject, then its body."""
        subject = _subject(message)
        if subject:
            self.blocks.append(Block(subject, "heading"))
        self._read_part(message, depth)

    def _read_part(self, part: Message, depth: int) -> None:
        if depth > self._limits.depth:
            self._too_deep += 1
            return
        kind = part.get_content_type()
        if part.is_multipart():
            parts = cast("list[Message]", part.get_payload())
            if kind in _MESSAGES:
                for message in parts:
                    self.read_message(message, depth + 1)
            elif kind.startswith("multipart/"):
                for inner in self._worth_reading(kind, parts):
                    self._read_part(inner, depth + 1)
        elif (
            part.get_content_disposition() == "attachment"
            or part.get_filename() is not None
            or kind not in {"text/plain", "text/html"}
        ):
            self._attachments += 1
        else:
            self._read_text(part, is_html=kind == "text/html")

    def _worth_reading(self, kind: str, parts: list[Message]) -> list[Message]:
        if kind == "multipart/alternative":
            plain = [
                part
                for part in parts
                if part.get_content_type() == "text/plain"
                and any(byte > ord(" ") for byte in _bytes(part)[:10_000])
            ]
            return plain[:1] or parts[-1:]
        return parts[:1] if kind in _SILENT else parts

    def _read_text(self, part: Message, *, is_html: bool) -> None:
        data = _bytes(part)
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise inflates_too_much(self._limits.inflated_bytes)
        pieces = texts(io.BytesIO(data), part.get_content_charset())
        if is_html:
            blocks = read_page(pieces, self._limits, self.tables).blocks
        else:
            text = own_text("".join(pieces).replace("\r\n", "\n").replace("\r", "\n"))
            blocks = list(paragraphs(text, markdown=False, tables=self.tables))
        self._characters_left -= sum(len(block.text) for block in blocks)
        if self._characters_left < 0:
            raise too_many_characters(self._limits)
        self.blocks += blocks


def _bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _subject(message: Message) -> str | None:
    return _REPLY.sub("", squeeze(_header(message, "Subject"))) or None


def _header(message: Message, name: str) -> str:
    """Return a header's text with its encoded words decoded, as far as possible."""
    values = (str(value) for key, value in message.raw_items() if key.lower() == name.lower())
    # What is not ASCII, the parser keeps as surrogates.
    raw = _text(next(values, "")[:_MAX_HEADER].encode("utf-8", "surrogateescape"), None)
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, ValueError):
        return raw
    return "".join(piece if isinstance(piece, str) else _text(piece, charset) for piece, charset in pieces)


def _text(data: bytes, charset: str | None) -> str:
    return "".join(texts(io.BytesIO(data), charset))
