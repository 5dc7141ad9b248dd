"""Which encoding is a page in? Its bytes are believed before its own word, as far as they can tell."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from shared.extract.decode import guess, wide_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

CHUNK = 65_536
"""Bytes decoded at a time, so that a page is never in memory twice."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(
    rb"""(?i)(?:<meta[^>]{0,500}?charset|<\?xml[^>]{0,200}?encoding)\s*+=\s*+(?:["']\s*+)?([\w.:-]+)"""
)
# What the labels mean on the web (https://encoding.spec.whatwg.org/#names-and-labels); no others are
# followed, since Python's codecs include some that unpack or evaluate.
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "cp1252": "cp1252", "iso8859-15": "iso8859-15",
    "iso8859-2": "iso8859-2", "cp1250": "cp1250", "cp1251": "cp1251", "cp1253": "cp1253",
    "iso8859-9": "cp1254", "cp1254": "cp1254", "cp1255": "cp1255", "cp1256": "cp1256", "cp1257": "cp1257",
    "cp1258": "cp1258", "iso8859-3": "iso8859-3", "iso8859-4": "iso8859-4", "iso8859-5": "iso8859-5",
    "iso8859-6": "iso8859-6", "iso8859-7": "iso8859-7", "iso8859-8": "iso8859-8", "iso8859-10": "iso8859-10",
    "iso8859-13": "iso8859-13", "iso8859-14": "iso8859-14", "iso8859-16": "iso8859-16", "tis-620": "cp874",
    "iso8859-11": "cp874", "cp874": "cp874", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "cp866": "cp866",
    "mac-roman": "mac-roman", "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030",
    "big5": "big5hkscs", "shift_jis": "cp932", "cp932": "cp932", "euc_jp": "euc_jp",
    "iso2022_jp": "iso2022_jp", "euc_kr": "cp949",
    "cp949": "cp949",
}  # fmt: skip
_TAG = re.compile(rb"<[^<>]*>")
_SOUND = 4  # well-formed characters beyond ASCII that outweigh one malformed


def known(label: str) -> str | None:
    """The codec that a label stands for, or None where it names nothing that a text may be in."""
    try:
        name = codecs.lookup(label.strip().removeprefix("x-")).name
    except (LookupError, ValueError):  # a ValueError for a null character
        return None
    return _MEANT.get(name)


def texts(file: BinaryIO, label: str | None = None) -> Iterator[str]:
    """The text piece by piece, decoded as its bytes say, else as declared; no null characters.

    `label` is the encoding that the transport named: it goes before what the text itself declares.
    `file` is read twice and so must be seekable; it is read from its start.
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
    declared = _DECLARED.search(head)
    named = (known(label) if label else None) or (known(declared[1].decode("ascii")) if declared else None)
    return 0, named or guess(_TAG.sub(b" ", head))


def _as_utf8(file: BinaryIO) -> tuple[int, int]:
    """How many characters beyond ASCII are well-formed UTF-8, and how many are not; of pure ASCII, (1, 0)."""
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
        well_formed += len(text) - len(text.encode("ascii", "ignore")) - broken
    return (1, 0) if ascii_only else (well_formed, malformed)
