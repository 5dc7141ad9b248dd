"""Bytes to text: which encoding is this?"""

from __future__ import annotations

import codecs
import re

from shared.extract.refusals import unsupported

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_SAMPLE = 65_536  # characters looked at to tell text from binary
_MAX_DAMAGE = 0.02  # of the sample: control and replacement characters
_SOUND = 4  # well-formed characters beyond ASCII that outweigh one malformed
_CUT = 3  # bytes that may be left of a character at the end of a file that was cut off


def decode(data: bytes) -> str:
    """The text with a line feed for every newline, without byte-order mark and control characters.

    Raises Rejected(`unsupported_type`) for what is not text.
    """
    text = _decode(data)
    sample = text[:_SAMPLE]
    if len(_CONTROL.findall(sample)) + sample.count("\ufffd") > _MAX_DAMAGE * len(sample):
        raise unsupported("neither text nor of any known format")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n")
    return _CONTROL.sub("", text)


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if 0 < error.start >= len(data) - _CUT:
            return data[: error.start].decode("utf-8")
    wide = _utf16_without_mark(data)
    if wide:
        return data.decode(wide, "replace")
    text = data.decode("utf-8", "replace")
    malformed = text.count("\ufffd")
    if len(_BEYOND_ASCII.findall(text)) - malformed > _SOUND * malformed:
        return text  # UTF-8 with a few broken characters
    # What is left of Western text is Windows-1252: all of Latin-1's letters, and the curly quotes beside.
    return data.decode("cp1252", "replace")


def _utf16_without_mark(data: bytes) -> str | None:
    """Western text in UTF-16 has a zero in nearly every second byte, and hardly any elsewhere."""
    head = data[:4096]
    low, high = head[0::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    if high > half * 0.4 and low < half * 0.05:
        return "utf-16-le"
    if low > half * 0.4 and high < half * 0.05:
        return "utf-16-be"
    return None
