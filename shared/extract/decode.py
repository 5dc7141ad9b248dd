"""Decode the bytes of text files and web pages.

UTF-16 and UTF-32 without a byte-order mark show by the places of their zeros. The encoding of text in Latin
script follows from its language, whose function words mostly have plain letters: statistics confuse Western
with Central European encodings. For other scripts charset-normalizer decides, in about a millisecond. A web
page may declare an encoding; its bytes are believed first, as far as they can tell.
"""

from __future__ import annotations

import codecs
import io
import re
from functools import partial
from typing import TYPE_CHECKING

from shared.extract.language import detect
from shared.extract.refusals import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


_SCORED = 16_384  # bytes
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LATIN_RUN = 1.5  # bytes beyond ASCII in a row, on average, at most: letters with accents mostly stand alone,
_SHORT_RUN, _LATIN_SHARE = 2.5, 0.15  # or by twos, but then are rare in the text
_FEW = 6  # bytes beyond ASCII: too few for statistics
_WESTERN = ("cp1252", "mac_roman")  # the first has all of Latin-1's letters, and the curly quotes beside
_CENTRAL = ("cp1250", "iso8859_2")
_BY_LANGUAGE = {
    **dict.fromkeys(("en", "de", "fr", "it", "es", "pt", "nl", "sv", "da", "no", "fi"), _WESTERN),
    **dict.fromkeys(("pl", "cs", "hu", "ro"), _CENTRAL),
    "tr": ("cp1254",),
}
_TELLING = "cp1254"  # of the rest of Latin script, statistics may be believed where they find Turkish
_LETTER = r"[^\W\d_]"
# In the wrong encoding a letter becomes a sign within a word, or a capital after a small letter.
_IMPLAUSIBLE = re.compile(
    rf"(?<={_LETTER})[^\w\s\x00-\x7f\u2010-\u2015\u2019\xad\xb7](?={_LETTER})"
    rf"|[\xb2\xb3\xb9](?={_LETTER})|[a-z][\xc0-\xde\u0160\u0178\u017d]"
)
_PRINTABLE = 0.98  # of the characters, where text in UTF-16 is decoded as such
_LETTERS = 0.5
_STRAY = 0.05  # of the zeros: in the wrong one of the two bytes


def wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if the zeros of the text are placed as in one of them.

    In UTF-32 every letter has at least two zeros. In UTF-16 Western letters have one, and so do the spaces,
    digits and line ends of other scripts: always the first byte, or always the second.
    """
    head = data[:_SCORED]
    if len(head) == _SCORED or len(head) % 4 == 0:
        first, second, third, fourth = (head[at::4].count(0) for at in range(4))
        if fourth * 4 == len(head) and third > 0.9 * fourth > 2 * first:
            return "utf-32-le"
        if first * 4 == len(head) and second > 0.9 * first > 2 * fourth:
            return "utf-32-be"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if not max(even, odd) or min(even, odd) > _STRAY * max(even, odd):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(encoding, "ignore")
    printable = sum(char.isprintable() or char.isspace() for char in text)
    letters = sum(map(str.isalpha, text))
    return encoding if printable >= _PRINTABLE * len(text) and letters >= _LETTERS * len(text) else None


def guess(data: bytes) -> str:
    """Guess the encoding of text that is not in Unicode; Windows-1252 if nothing decides."""
    sample = _sample(data)
    high, runs = len(_HIGH.findall(sample)), len(_HIGH_RUN.findall(sample))
    rare = high < _LATIN_SHARE * len(sample) and high < _SHORT_RUN * runs
    if high >= max(_FEW, _LATIN_RUN * runs) and not rare:
        return _statistics(sample) or _WESTERN[0]
    language = detect(sample.decode("cp1252", "replace"))
    if language in _BY_LANGUAGE:
        return _most_plausible(sample, _BY_LANGUAGE[language])
    plausible = _most_plausible(sample, _WESTERN + _CENTRAL)
    if plausible == _WESTERN[0] and high >= _FEW:
        return _TELLING if _statistics(sample) == _TELLING else plausible
    return plausible


def _sample(data: bytes) -> bytes:
    """A sample from the first line with a byte beyond ASCII, in whole lines if possible."""
    first = _HIGH.search(data)
    at = first.start() if first else 0
    start = max(data.rfind(b"\n", max(0, at - _SCORED), at) + 1, at - _SCORED // 2, 0)
    end = start + _SCORED
    return data[start : max(data.rfind(b"\n", start, end), 0) or end] if end < len(data) else data[start:]


def _most_plausible(sample: bytes, encodings: tuple[str, ...]) -> str:
    return min(encodings, key=lambda encoding: len(_IMPLAUSIBLE.findall(sample.decode(encoding, "replace"))))


def _statistics(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else None


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
"""Control sequences of a terminal for colours, cursor and title (ECMA-48, 5.4 and 5.6)."""
_HARMLESS = re.compile(r"[\x00\x07\x0b\x1a\x1b]")
"""Control characters that occur in text: padding, bells, line breaks, DOS's end of file, other escapes."""
_MAX_HARMLESS = 0.1  # of the sample
_SOUND = 4  # well-formed characters beyond ASCII that outweigh one malformed
_JAPANESE_ESCAPE = re.compile(rb"\x1b\$[@B]")


def decode(data: bytes) -> str:
    """Return the text with a line feed for every newline, without byte-order mark and control characters.

    Raises Rejected(`unsupported_type`) if the bytes are not text.
    """
    skip, encoding = _encoding(io.BytesIO(data), None)
    text = str(memoryview(data)[skip:], encoding, "replace")
    del data  # here, as what follows may need its room
    text = text.removesuffix("\ufffd")  # the file was cut off inside a character
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


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


CHUNK = 65_536
"""Bytes decoded at a time, so that a page is never in memory twice."""

_DECLARED = re.compile(
    rb"""(?i)(?:<meta[^>]{0,500}?charset|<\?xml[^>]{0,200}?encoding)\s*+=\s*+(?:["']\s*+)?([\w.:-]+)"""
)
# What the labels mean on the web (https://encoding.spec.whatwg.org/#names-and-labels); no others are
# followed, since Python's codecs include some that unpack or evaluate.
_OWN_NAME = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp866 cp874 cp932 cp949 iso8859-2 "
    "iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 iso8859-13 iso8859-14 "
    "iso8859-15 iso8859-16 koi8-r koi8-u mac-roman gb18030 euc_jp iso2022_jp"
)
_MEANT = {label: label for label in _OWN_NAME.split(" ")} | {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "iso8859-11": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip
_TAG = re.compile(rb"<[^<>]*>")


def codec_of(label: str) -> str | None:
    """The codec that a page's label stands for, or None if it names no encoding of text."""
    try:
        name = codecs.lookup(label.strip().removeprefix("x-")).name
    except (LookupError, ValueError):  # a ValueError for a null character
        return None
    return _MEANT.get(name)


def texts(file: BinaryIO, label: str | None = None) -> Iterator[str]:
    """Yield a page's text piece by piece, without null characters.

    The bytes decide its encoding, then `label`, which the transport named, then what the page declares.
    `file` is read twice from its start, so it must be seekable.
    """
    skip, encoding = _encoding(file, label)
    file.seek(skip)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while data := file.read(CHUNK):
        yield decoder.decode(data).replace("\0", "")
    yield decoder.decode(b"", final=True)


def _encoding(file: BinaryIO, label: str | None) -> tuple[int, str]:
    """The length of the byte-order mark, and the codec."""
    file.seek(0)
    head = file.read(CHUNK)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return len(mark), encoding
    wide = wide_encoding(head)
    if wide:
        return 0, wide
    well_formed, malformed = _as_utf8(file)
    if well_formed > _SOUND * malformed:
        return 0, "utf-8"  # whatever it declares: other encodings do not look like UTF-8 by chance
    if _JAPANESE_ESCAPE.search(head):
        return 0, "iso2022_jp"
    declared = _DECLARED.search(head)
    named = (codec_of(label) if label else None) or (
        codec_of(declared[1].decode("ascii")) if declared else None
    )
    if named:
        return 0, named
    file.seek(0)
    telling = next((data for data in iter(partial(file.read, CHUNK), b"") if not data.isascii()), head)
    return 0, guess(_TAG.sub(b" ", telling))


def _as_utf8(file: BinaryIO) -> tuple[int, int]:
    """Count the characters beyond ASCII that are well-formed UTF-8, and those that are not.

    Pure ASCII gives (1, 0).
    """
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    well_formed = malformed = 0
    ascii_only = True
    while data := file.read(CHUNK):
        if data.isascii():
            ascii_only &= b"\x1b" not in data  # ISO-2022-JP is ASCII too, and switches by escapes
            decoder.reset()
            continue
        ascii_only = False
        text = decoder.decode(data)
        broken = text.count("\ufffd")
        malformed += broken
        well_formed += _beyond_ascii(text) - broken
    return (1, 0) if ascii_only else (well_formed, malformed)
