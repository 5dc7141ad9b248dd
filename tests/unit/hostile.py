"""Texts on which a regular expression takes longest, derived from the expression itself."""

from __future__ import annotations

import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

_PALETTE = "a1 .-A,@:;/|(['\"_*\n\u00e9\x00\u2022\u3042+&%"
"""Characters that stand for a class: those of them that it has."""
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    sre.CATEGORY_DIGIT: str.isdecimal,
    sre.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    sre.CATEGORY_NOT_WORD: lambda char: not char.isalnum() and char != "_",
}
_SAMPLES = 6
"""Samples of an expression; each takes other characters of its classes and other alternatives."""
_LONG = 8
"""A repeat that allows at least so many is a run."""
_BODIES = 3  # of a run, in each sample
_MIXED = 20  # pairs of runs, and of a run and what comes before another
_CUTS = 6  # of a sample
_MISMATCH = "\x00\u3042\n1\x00"
"""Ends a run of any class: a sign, a letter, white space, a digit, and not the end of a line."""
COMMON = (
    *("a", "A", "1", " ", "\n", ".", "-", "(", '"', "_", "@", "|", "\u00e9", "\x00"),
    *("A;", "a@", "a.", "1 ", "1.", "1,", "A ", "A. ", "a-", "| ", ": ", "Ltd ", "a b", " \n", "\n1"),
)
"""Units that are tried on every expression, and on every function."""


class Hostile(NamedTuple):
    """A text of any length: `unit` is repeated between `start` and `end`."""

    start: str
    unit: str
    end: str

    def of(self, length: int) -> str:
        """The text of about `length` characters."""
        return self.start + self.unit * (length // len(self.unit)) + self.end

    def bytes_of(self, length: int) -> bytes:
        """The same in UTF-8."""
        return self.of(length).encode()


def hostile(pattern: re.Pattern[str] | re.Pattern[bytes]) -> list[Hostile]:
    """Runs of what the expression repeats, and near matches over and over.

    A run stands before what keeps the expression from matching: alone, and behind what comes
    before a run in the expression. It is also repeated together with that, and mixed with other runs.
    """
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(source, pattern.flags)
    random = Random(0)
    result = dict.fromkeys(Hostile("", unit, "") for unit in COMMON)
    befores: dict[str, None] = {}
    runs: dict[str, None] = {}
    for _ in range(_SAMPLES):
        sampler = _Sampler(random)
        sample = sampler.sample(tree, "")
        for before, run in sampler.runs:
            befores[before] = runs[run] = None
            result[Hostile("", run, _MISMATCH)] = None
            result[Hostile(before, run, _MISMATCH)] = None
            result[Hostile("", before + run, "")] = None
        step = max(1, len(sample) // _CUTS)
        result |= dict.fromkeys(Hostile("", sample[:cut], "") for cut in range(len(sample), 0, -step))
    for _ in range(_MIXED if runs else 0):
        before, one, other = random.choice([*befores]), random.choice([*runs]), random.choice([*runs])
        result[Hostile(before, one, _MISMATCH)] = None
        result[Hostile("", one + other, _MISMATCH)] = None
    return [text for text in result if text.unit]


class _Sampler:
    """Writes a text that an expression matches, nearly always, and notes its runs on the way."""

    def __init__(self, random: Random) -> None:
        self.runs: list[tuple[str, str]] = []
        """What comes before a run, and what is repeated in it."""
        self._random = random
        self._groups: dict[int | None, str] = {}

    def sample(self, nodes: Any, before: str) -> str:
        """A text for a sequence of nodes of the parsed expression; `before` is what stands in front of it."""
        text = ""
        for kind, value in nodes:
            text += self._one(kind, value, before + text)
        return text

    def _one(self, kind: Any, value: Any, before: str) -> str:  # noqa: PLR0911 - a return for each kind
        if kind in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            return self._pick([char for char in _alphabet(kind, value) if _has(kind, value, char)])
        if kind in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
            least, most, body = value
            run = self.sample(body, before)
            if most >= _LONG:
                self.runs += [
                    (before, run),
                    *((before, self.sample(body, before)) for _ in range(_BODIES - 1)),
                ]
            times: int = max(least, self._random.randrange(min(most, 2) + 1))
            return run * times
        if kind is sre.BRANCH:
            return self._pick([self.sample(branch, before) for branch in value[1]])
        if kind is sre.SUBPATTERN:
            self._groups[value[0]] = self.sample(value[3], before)
            return self._groups[value[0]]
        if kind is sre.ATOMIC_GROUP:
            return self.sample(value, before)
        if kind in {sre.ASSERT, sre.ASSERT_NOT}:
            ahead = self.sample(value[1], before)
            return ahead if kind is sre.ASSERT and value[0] < 0 and not before else ""
        if kind is sre.GROUPREF:
            return self._groups.get(value, "")
        if kind is sre.GROUPREF_EXISTS:
            return self.sample(value[1], before)
        return ""  # a place: the beginning, a word's end

    def _pick(self, choices: list[str]) -> str:
        return self._random.choice(choices) if choices else ""


def _alphabet(kind: Any, value: Any) -> str:
    """Characters among which some stand for the node."""
    if kind is sre.LITERAL:
        return chr(value)
    named = [part for part in value if part[0] in {sre.LITERAL, sre.RANGE}] if kind is sre.IN else []
    return _PALETTE + "".join(chr(part if what is sre.LITERAL else part[0]) for what, part in named)


def _has(kind: Any, value: Any, char: str) -> bool:
    """Whether the node matches the character."""
    if kind is sre.LITERAL:
        return bool(value == ord(char))
    if kind is sre.NOT_LITERAL:
        return bool(value != ord(char))
    if kind is sre.ANY:
        return True
    negated = value[0][0] is sre.NEGATE
    return negated != any(_in(what, part, char) for what, part in value)


def _in(what: Any, part: Any, char: str) -> bool:
    if what is sre.LITERAL:
        return bool(part == ord(char))
    if what is sre.RANGE:
        return ord(char) in range(part[0], part[1] + 1)
    return what is sre.CATEGORY and _CATEGORIES[part](char)
