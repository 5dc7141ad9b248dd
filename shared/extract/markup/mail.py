"""Mail: the subject, and what the sender wrote; attachments are counted, not read."""

from __future__ import annotations

import io
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesFeedParser
from typing import TYPE_CHECKING, cast

from shared.extract.markup.encoding import texts
from shared.extract.markup.html import has_words, html_blocks
from shared.extract.markup.quotes import own_text
from shared.extract.plain import paragraphs
from shared.extract.refusals import inflates_too_much, no_text, too_many
from shared.extract.shapes import Block, Extracted
from shared.extract.tidy import squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path
    from typing import BinaryIO

    from shared.extract.shapes import ExtractOptions, Limits

_REPLY = re.compile(r"(?i)^(?:(?:re|aw|antw|sv|fwd?|wg|tr|rv|i|r)\s*+(?:\[\d+\]\s*+)?:\s*+)+")
_MAX_HEADER = 2_000  # characters
_STEP = 65_536  # bytes
_ENCODED = re.compile(rb"[A-Za-z0-9+/=]{40,}\s*$")  # a line of base64
_MAX_ENCODED = 32 * 1024 * 1024  # bytes of base64: text comes before attachments, and is smaller
_MAX_WIDTH = 4  # bytes of a character
_MESSAGES = {"message/rfc822", "message/global"}
_SILENT = {"multipart/related", "multipart/signed"}  # their further parts are pictures and signatures


def read_eml(path: Path, options: ExtractOptions) -> Extracted:
    """The subject as a heading, then the text of the message and of messages attached to it.

    Raises Rejected(`no_text`), Rejected(`inflates_too_much`), Rejected(`too_many_characters`) and
    Rejected(`nested_too_deep`) where the message cannot even be taken apart.
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
        "message/rfc822", title, None, reader.blocks, reader.warnings(), organisation=organisation
    )


def _without_bulk(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The message's lines, or pieces of long ones, without the bulk of attachments, which nobody looks at.

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
                limit = limits.characters
                raise too_many("characters", f"more than {limit:,} characters of text", limit)
        yield line


class _Reader:
    """Goes through the parts of a message in order."""

    def __init__(self, limits: Limits) -> None:
        self.blocks: list[Block] = []
        self._limits = limits
        self._attachments = 0
        self._too_deep = 0
        self._bytes_left = limits.inflated_bytes
        self._characters_left = limits.characters

    def warnings(self) -> list[str]:
        """What was left out, and why."""
        count = self._attachments
        found = []
        if count:
            found.append(
                "1 attachment was not read" if count == 1 else f"{count:,} attachments were not read"
            )
        if self._too_deep:
            found.append(f"messages nested deeper than {self._limits.depth} levels were not read")
        return found

    def read_message(self, message: Message, depth: int) -> None:
        """The message's subject, then its body."""
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
                for one in self._worth_reading(kind, parts):
                    self._read_part(one, depth + 1)
        elif _is_attached(part) or kind not in {"text/plain", "text/html"}:
            self._attachments += 1
        else:
            self._read_text(part, is_html=kind == "text/html")

    def _worth_reading(self, kind: str, parts: list[Message]) -> list[Message]:
        if kind == "multipart/alternative":
            plain = [part for part in parts if part.get_content_type() == "text/plain" and _words(part)]
            return plain[:1] or parts[-1:]
        return parts[:1] if kind in _SILENT else parts

    def _read_text(self, part: Message, *, is_html: bool) -> None:
        data = _bytes(part)
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise inflates_too_much(self._limits.inflated_bytes)
        text = _text(data, part.get_content_charset())
        if is_html:
            blocks = html_blocks(text, self._limits)[1]
        else:
            text = own_text(text.replace("\r\n", "\n").replace("\r", "\n"))
            blocks = list(paragraphs(text, markdown=False))
        self._characters_left -= sum(len(block.text) for block in blocks)
        if self._characters_left < 0:
            limit = self._limits.characters
            raise too_many("characters", f"more than {limit:,} characters of text", limit)
        self.blocks += blocks


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _words(part: Message) -> bool:
    return any(byte > ord(" ") for byte in _bytes(part)[:10_000])


def _bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _subject(message: Message) -> str | None:
    return _REPLY.sub("", squeeze(_header(message, "Subject"))) or None


def _header(message: Message, name: str) -> str:
    """A header's text, its encoded words decoded; what cannot be decoded stays as it is."""
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
