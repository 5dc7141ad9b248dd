"""The marks that begin an item of a list."""

from __future__ import annotations

import re

# Bullets, squares, arrows, ticks, stars, dashes; and what symbol fonts put in the private-use area for them.
_SIGNS = (
    r"\u2022\u2023\u2043\u204c\u204d\u2219\u25a0-\u25ff\u2605\u2606\u2610-\u2612\u2713-\u2718"
    r"\u2726-\u2767\u2794-\u27bf\u2192\u21d2\u00b7\u00bb\u2013\u2014\u2212*\uf000-\uf0ff\u0083-"
)
_ITEM = re.compile(rf"\s*(?:[{_SIGNS}]|\(?\d{{1,2}}[.)]|\(?[a-z][.)]|\(?[ivx]{{2,4}}[.)])\s+\S")
_LONE = re.compile(r"(?:[^\w\s]|(?:\d{1,2}|[a-z])[.)])++$")  # symbol fonts' signs are no letters either


def is_item(text: str) -> bool:
    """A list item with its mark: a sign, a number or a letter."""
    return _ITEM.match(text) is not None


def is_lone_mark(text: str) -> bool:
    """A mark without its item: some programs draw them apart."""
    return _LONE.match(text) is not None
