"""Small repairs that every format needs: ligatures, soft hyphens, odd spaces."""

from __future__ import annotations

import re

from shared.extract.pieces import MAX_BLOCK, squeezable

_TABLE = str.maketrans(
    {
        "\u00ad": None,  # soft hyphen
        "\u200b": None,  # zero-width space
        "\u200c": None,
        "\u200d": None,
        "\u2060": None,
        "\ufeff": None,
        "\u00a0": " ",
        "\u2002": " ",
        "\u2003": " ",
        "\u2009": " ",
        "\u200a": " ",
        "\u202f": " ",
        "\u2007": " ",
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\u0132": "IJ",
        "\u0133": "ij",
    }
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
UNTIDY = re.compile(f"[{''.join(map(chr, _TABLE))}\ud800-\udfff]")
"""What `clean` changes."""


def clean(text: str) -> str:
    """The text with ligatures spelt out, invisible characters dropped and every space a plain one."""
    if text.isascii() or not UNTIDY.search(text):
        return text
    return _SURROGATE.sub("\ufffd", text.translate(_TABLE))


def visible(text: str) -> str:
    """The text without controls, which nobody sees and a terminal obeys; not those that are white space."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def squeeze(text: str) -> str:
    """Cleaned, and every run of white space one space."""
    if len(text) <= MAX_BLOCK:
        return " ".join(clean(text).split())
    return " ".join(filter(None, (" ".join(clean(part).split()) for part in squeezable(text))))
