"""Find where a passage stands among the characters of its page.

Both are compared by letters and digits alone: a passage has lost the hyphens and breaks of its lines, list
marks and ligatures, and personal data in it is replaced. What then still differs (a footnote's mark, a
caption between two columns of a paragraph) separates runs of equal letters, which are looked for one after
the other.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.tidy import clean
from shared.text.privacy import PSEUDONYM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from shared.platform.tables import Box

Span = tuple[int, int]
"""[start, end) of a page's text."""

MAX_CHARACTERS = 100_000
"""Limit on a page's characters that are looked through."""
_SEED = 8  # letters in sequence by which a run is found
_SURE = 16  # letters of a run that may stand anywhere; a shorter one stands near the one before
_NEAR = 60  # letters
_TRIED = 50  # places of one seed
_PLACED = 0.5  # of a passage's letters are found, or it is not placed
_OPENING = frozenset("([\"'\u201c\u201e\u2018\u00ab\u20ac$\u00a3")
_SIGNS = 3  # behind a letter
_PARAGRAPHS = "\n\n"  # between the paragraphs of a passage
_HIDDEN = 80  # letters of a page that one pseudonym stands for at most


class _Letters(NamedTuple):
    """The letters and digits of a text in one case, and where in the text each stands."""

    text: str
    places: list[int]


def _letters(text: str) -> _Letters:
    letters: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        plain = char if char.isascii() else unicodedata.normalize("NFKC", clean(char))
        for letter in plain.casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(at)
    return _Letters("".join(letters), places)


class Finder:
    """Finds passages in the text of one page."""

    def __init__(self, text: str, is_in: Callable[[int, Box], bool]) -> None:
        """`is_in` says whether a character, by its place in the text, stands in a box."""
        self._text = text[:MAX_CHARACTERS]
        self._page = _letters(self._text)
        self._is_in = is_in
        self._seeds: dict[str, list[int]] = defaultdict(list)
        letters = self._page.text
        for at in range(len(letters) - _SEED + 1):
            self._seeds[letters[at : at + _SEED]].append(at)

    def find(self, passage: str, box: Box | None, *, begun: bool = False) -> list[Span]:
        """Return where a passage's letters stand, in its order; none where too few of them are found.

        Of several places those in `box` count, which is around the passage's paragraphs. A passage that was
        `begun` on the page before is found by its end.
        """
        if begun:
            return self._end(_letters(passage).text)
        runs: list[Span] = []
        total = 0
        for words in PSEUDONYM.split(passage):
            hidden = bool(runs)
            for part in (_letters(paragraph).text for paragraph in words.split(_PARAGRAPHS)):
                total += len(part)
                found = list(self._runs(part, box, runs[-1][1] if runs else None))
                if hidden and found and 0 < found[0][0] - runs[-1][1] <= _HIDDEN:
                    runs.append((runs[-1][1], found[0][0]))  # what a pseudonym stands for
                runs += found
                hidden = False
        covered = sum(end - start for start, end in runs)
        inside = all(self._stands_in(start, box) for start, _ in runs)  # then the rest is on the next page
        if not runs or (covered < _PLACED * total and not inside):
            return []
        return [self._with_signs(*run) for run in runs]

    def _end(self, letters: str) -> list[Span]:
        """Return where the longest end of a passage stands that the page holds, if it is long enough."""
        ends = [start + _SEED for start in self._seeds.get(letters[-_SEED:], ())[:_TRIED]]
        size, end = max(((_alike_ends(letters, self._page.text[:end]), end) for end in ends), default=(0, 0))
        return [self._with_signs(end - size, end)] if _SURE <= size < len(letters) else []

    def _with_signs(self, start: int, end: int) -> Span:
        """Return where letters stand in the text, with the signs that touch them, such as a full stop."""
        places = self._page.places
        begin, stop = places[start], places[end - 1] + 1
        while begin and self._text[begin - 1] in _OPENING:
            begin -= 1
        after = places[end] if end < len(places) else len(self._text)
        while stop < min(after, places[end - 1] + 1 + _SIGNS) and not self._text[stop].isspace():
            stop += 1
        return begin, stop

    def _runs(self, part: str, box: Box | None, after: int | None) -> Iterator[Span]:
        """Yield [start, end) of the page's letters that a part of a passage consists of."""
        if len(part) < _SEED:
            whole = self._best(list(_all(part, self._page.text)), len(part), box, after) if part else None
            # A word or a number alone may stand anywhere on a page.
            if whole is not None and (box is None or self._stands_in(whole, box)):
                yield whole, whole + len(part)
            return
        at = 0
        while at + _SEED <= len(part):
            starts = self._seeds.get(part[at : at + _SEED], ())
            run = self._longest(part, at, starts, box, after)
            if run is None:
                at += 1
                continue
            yield run
            at += run[1] - run[0]
            after = run[1]

    def _longest(
        self, part: str, at: int, starts: Sequence[int], box: Box | None, after: int | None
    ) -> Span | None:
        """Return the run that begins at one of `starts` and is worth to be taken: long, or near the last."""
        inside = [start for start in starts if self._stands_in(start, box)] or starts
        sized = [(self._alike(part, at, start), start) for start in inside[:_TRIED]]
        longest = max((size for size, _ in sized), default=0)
        start = self._best([start for size, start in sized if size == longest], longest, box, after)
        if start is None:
            return None
        near = after is None or 0 <= start - after <= _NEAR
        enough = longest == len(part) or longest >= _SURE or (near and longest >= _SEED)
        return (start, start + longest) if enough else None

    def _best(self, starts: Sequence[int], size: int, box: Box | None, after: int | None) -> int | None:
        """Return the start that stands in the box, and next behind what was found last."""

        def rank(start: int) -> tuple[bool, bool, int]:
            in_box = self._stands_in(start, box) and self._stands_in(start + size - 1, box)
            return not in_box, after is not None and start < after, start

        return min(starts[:_TRIED], key=rank, default=None)

    def _alike(self, part: str, at: int, start: int) -> int:
        """Return how many letters of the part and of the page are equal from there on."""
        page = self._page.text
        size, most = _SEED, min(len(part) - at, len(page) - start)
        step = most - size
        while step > 0 and size < most:  # halves: comparing slices is faster than a loop over letters
            step = min(step, most - size)
            if part[at + size : at + size + step] == page[start + size : start + size + step]:
                size += step
            else:
                step //= 2
        return size

    def _stands_in(self, letter: int, box: Box | None) -> bool:
        return box is not None and self._is_in(self._page.places[letter], box)


def _alike_ends(one: str, other: str) -> int:
    """Return how many letters at the ends of two texts are equal."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _all(part: str, text: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


_GAP = 2.5  # of the lower box's height: a wider gap separates what stands on one line
_SHARED = 0.5  # of the smaller side


def lines(boxes: Iterable[Box]) -> list[Box]:
    """Join the boxes of characters in sequence to one box a line, whichever way it runs; skip empty boxes."""
    joined: list[Box] = []
    last: Box | None = None
    for box in boxes:
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        if last is not None and _stands_beside(last, box):
            line = joined[-1]
            joined[-1] = (
                min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3])
            )  # fmt: skip
        else:
            joined.append(box)
        last = box
    return joined


def _stands_beside(one: Box, other: Box) -> bool:
    """Whether two characters are on one line, across the page or along it."""
    across, along = (min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1))
    wide, high = (min(one[at + 2] - one[at], other[at + 2] - other[at]) for at in (0, 1))
    room = -_GAP * max(wide, high)
    return (along >= _SHARED * high and across >= room) or (across >= _SHARED * wide and along >= room / _GAP)
