"""Bytes to text: is this text at all, and in which encoding?"""

from __future__ import annotations

import codecs
import re

from shared.extract.charset import guess, wide_encoding
from shared.extract.refusals import unsupported

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_DROPPED = dict.fromkeys(ord(char) for char in map(chr, range(0x10000)) if _CONTROL.match(char))
_SAMPLE = 65_536  # characters looked at to tell text from binary
_MAX_DAMAGE = 0.02  # of the sample: control and replacement characters
_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}[@-~]|\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)|[()][0-9AB]|[78=>])"
)
"""What programs write to a terminal for its colours, its cursor and its title (ECMA-48, 5.4 and 5.6)."""
_HARMLESS = re.compile(r"[\x00\x07\x0b\x1a\x1b]")
"""What stands in text too: padding, bells, line breaks, the end of a file of DOS, and other escapes."""
_MAX_HARMLESS = 0.1  # of the sample
_SOUND = 4  # well-formed characters beyond ASCII that outweigh one malformed
_CUT_OFF = "unexpected end of data"  # what Python says of UTF-8 that ends inside a character
_JAPANESE_ESCAPE = re.compile(rb"\x1b\$[@B]")


def decode(data: bytes) -> str:
    """The text with a line feed for every newline, without byte-order mark and control characters.

    Raises Rejected(`unsupported_type`) for what is not text.
    """
    text = _decode(data)
    del data  # here, as what follows may need its room
    if "\x1b" in text:
        text = _TERMINAL.sub("", text)
    if not _is_text(text[:_SAMPLE]):
        raise unsupported("neither text nor of any known format")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        text = text.replace("\r", "\n")
    text = text.replace("\x0b", "\n").replace("\x0c", "\n\n")
    return text.translate(_DROPPED) if _CONTROL.search(text) else text


def _is_text(sample: str) -> bool:
    rest, harmless = _HARMLESS.subn("", sample)
    damage = len(_CONTROL.findall(rest)) + rest.count("\ufffd")
    return damage <= _MAX_DAMAGE * len(rest) and harmless <= _MAX_HARMLESS * len(sample)


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return str(memoryview(data)[len(mark) :], encoding, "replace")
    wide = wide_encoding(data)
    if wide:
        return data.decode(wide, "replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        if error.reason == _CUT_OFF and not whole.isascii():
            return whole.decode("utf-8")
        return _not_utf8(data)
    if _JAPANESE_ESCAPE.search(data, 0, _SAMPLE):
        return data.decode("iso2022_jp", "replace")
    return text


def _not_utf8(data: bytes) -> str:
    head = data[:_SAMPLE].decode("utf-8", "replace")
    malformed = head.count("\ufffd")
    if malformed == 0 or _beyond_ascii(head) - malformed > _SOUND * malformed:
        text = data.decode("utf-8", "replace")
        malformed = text.count("\ufffd")
        if _beyond_ascii(text) - malformed > _SOUND * malformed:
            return text  # UTF-8 with a few broken characters
    return data.decode(guess(data), "replace")


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))
