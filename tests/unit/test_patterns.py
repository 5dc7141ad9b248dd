"""Every regular expression takes time linear in the length of its text, whatever the text."""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.extract.facts import state_facts
from shared.extract.language import detect
from shared.extract.markup.mail import own_text
from shared.extract.plain import paragraphs
from shared.extract.shapes import Block, Extracted
from shared.extract.tidy import cut
from shared.platform.errors import Rejected
from shared.platform.tables import Figure
from shared.text.datapoints import assign
from shared.text.directions import direction
from shared.text.figures import figures
from shared.text.privacy import redact
from shared.text.segment import SegmentLimits, segment
from shared.text.standalone import standing_alone
from tests.unit.hostile import Hostile, hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    AnyPattern = re.Pattern[str] | re.Pattern[bytes]

ROOT = Path(__file__).parents[2]
PRODUCT = ("cli", "deploy", "functions", "local", "long_job", "shared")
ANCHORED = {"match", "fullmatch"}
METHODS = {*ANCHORED, "search", "findall", "finditer", "sub", "subn", "split"}
BUILT = {
    "shared.text.datapoints",
    "shared.text.figures",
    "shared.text.identifiers",
    "shared.text.privacy",
    "shared.text.row_figures",
}
"""Modules that build expressions from a function's arguments, and keep them in a global sequence."""
RUNGS = (32, 512, 8_192)
"""Characters. The first are few, for expressions that would take for ever on more."""
LENGTHS = (512, 12_500)
"""... of texts for functions, which take longer; those of 50,000 are tried too."""
NOISE = 0.006  # seconds, which say nothing about growth
GROWTH = 8.0  # times as long for four times the text: between linear (4) and quadratic (16)
STRAIGHT = 1.5
"""Times as long for a character of 8,192 as for one of 512: a quadratic part is a third of it at most, as
where four times the text take GROWTH times as long. A constant part would hide it: expressions have none."""
PER_CHARACTER = 5e-6  # seconds: 200,000 characters in one second
PER_CHARACTER_OF_A_FUNCTION = 4e-5  # seconds: it also checks and replaces what its expressions match
ENOUGH = 0.5  # seconds on few characters: nothing more is to be learnt
TRIES = 3


def test_every_expression_is_linear() -> None:
    """On runs of what it repeats, mixed and cut off, an expression takes time linear in the length."""
    faults = ((place, _worst(pattern, method)) for (pattern, method), place in expressions().items())
    slow = [f"{place}: {fault}" for place, fault in faults if fault]
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize(
    ("expression", "method"),
    [
        (r"\S+@\S+", "finditer"),  # from each place of a run to its end
        (r"\s*:?\s*$", "match"),  # divides a run in every way
        (r"\S*_\S*$", "match"),  # goes back to every underscore
        (r"(?:[^\w\s]|\(?\d[.)])+$", "match"),  # reads a bracket in two ways: twice as long with each
        (r"<!--(?:.*?-->\s*)*<html", "match"),
    ],
)
def test_a_slow_expression_is_found(expression: str, method: str) -> None:
    """The texts that are derived from an expression show that it is not linear."""
    assert _worst(re.compile(expression), method, tries=1)


def test_the_time_of_whole_functions_is_linear() -> None:
    """What is done with a file's text once it is read takes time linear in the length, whatever the text."""
    end = " We cut emissions by 5 percent."
    faults = (
        (name, unit, _fault(run, Hostile("", unit, end).of, LENGTHS, PER_CHARACTER_OF_A_FUNCTION))
        for unit in UNITS
        for name, run in FUNCTIONS.items()
    )
    slow = [f"{name}: {fault} of {unit!r}" for name, unit, fault in faults if fault]
    assert not slow, "\n".join(slow)


def test_a_long_run_without_a_space_is_read_in_seconds() -> None:
    """400,000 characters such as once held the function for minutes take less than two seconds in all."""
    text = Hostile("", "A;", " We cut emissions by 5 percent.").of(400_000)
    start = time.thread_time()
    for run in FUNCTIONS.values():
        run(text)
    assert time.thread_time() - start < 2


def _document(text: str) -> Extracted:
    """Make a document of blocks as long as they may be, below a heading."""
    return Extracted("text/plain", text[:200], None, [Block(text[:200], "heading"), *map(Block, cut(text))])


def _segment(text: str) -> None:
    with suppress(Rejected):  # of text without a word
        segment(_document(text), count=_count, redact=str, limits=SegmentLimits())


def _assign(text: str) -> None:
    figure = Figure(kind="number", value=1.0, unit=None, text="1", metric=text)
    assign([figure, replace(figure, cell=(0, 0))], text=text, heading=text)


def _count(texts: list[str]) -> list[int]:
    """Stands in for word pieces: one for four characters, and the two special tokens."""
    return [len(text) // 4 + 2 for text in texts]


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "segment": _segment,
    "redact": lambda text: redact(text, b"key"),
    "state_facts": lambda text: state_facts(_document(text)),
    "detect": detect,
    "direction": direction,
    "figures": figures,
    "standing_alone": standing_alone,
    "own_text": own_text,
    "assign": _assign,
    "paragraphs": lambda text: deque(paragraphs(text, markdown=True), 0),
}
UNITS = (
    *("A;", "a", "1 ", "a@", "(", "A. ", "\n", " ", "Ltd ", "\u00a9 A", "A Annual report ", "> a\n\n"),
    *("4111 1111 1111 1111, ", "AT61 1904 3002 3457 3201 ", "+41 44 668 18 00 "),
)


def expressions() -> dict[tuple[AnyPattern, str], str]:
    """Every expression of the product with the methods that are timed, and where it stands."""
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for top in PRODUCT
        for path in sorted((ROOT / top).rglob("*.py"))
    }
    used: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, tree in sources.items():
        for origin, method in _uses(name, tree):
            used[origin].add(method)
    found: dict[tuple[AnyPattern, str], str] = {}
    for name in (name for name, tree in sources.items() if _imports_re(tree)):
        values = vars(importlib.import_module(name))
        for variable, value in values.items():
            for pattern in _held(value):
                for method in used.get((name, variable), {"search", "fullmatch"}):
                    found.setdefault((pattern, _timed(method)), f"{name}.{variable}")
        known = {pattern for pattern, _ in found}
        for line, method, pattern in _inline(name, sources[name], values):
            if method != "compile" or pattern not in known:
                found.setdefault((pattern, _timed(method)), f"{name}:{line}")
    return found


def _imports_re(tree: ast.Module) -> bool:
    """Whether the module has expressions; all are found only if `re` goes by its name everywhere."""
    aliases = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert "re" not in [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(alias.name == "re" and alias.asname for alias in aliases)
    return any(alias.name == "re" for alias in aliases)


def _imports(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Names that the module takes from others: by its own name for each, the module and the name there."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _uses(module: str, tree: ast.Module) -> Iterator[tuple[tuple[str, str], str]]:
    """Each `NAME.method` of an expression: the module and name where it is defined, and the method."""
    imported = _imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
            yield imported.get(node.value.id, (module, node.value.id)), node.attr


def _held(value: object) -> Iterator[AnyPattern]:
    """The expressions that a module's variable is or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _held(part)


def _inline(module: str, tree: ast.Module, values: dict[str, Any]) -> Iterator[tuple[int, str, AnyPattern]]:
    """What is given to `re`'s functions anywhere in the module: line, function, and the expression."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[first, *rest]):
                if method not in METHODS | {"compile"}:
                    continue
                parts = [first, *rest] if method == "compile" else [first]
                try:
                    arguments = [eval(ast.unparse(part), values) for part in parts]
                except NameError:
                    assert module in BUILT, f"{module}:{node.lineno}: what is the expression made of?"
                else:
                    yield node.lineno, method, re.compile(*arguments)


def _timed(method: str) -> str:
    """The method that is timed for one that is used: all that search do so again and again."""
    return method if method in ANCHORED else "finditer"


def _worst(pattern: AnyPattern, method: str, tries: int = TRIES) -> str | None:
    """What is wrong with the time that the expression takes on the first text that shows it."""
    use: Callable[[Any], Any] = getattr(pattern, method)
    run: Callable[[Any], object] = use if method in ANCHORED else lambda text: deque(use(text), 0)
    for text in hostile(pattern):
        made = text.bytes_of if isinstance(pattern.pattern, bytes) else text.of
        if fault := _fault(run, made, tries=tries):
            return f"{fault} of {text}: {pattern.pattern!r:.60}"
    return None


def _fault(
    run: Callable[[Any], object],
    text: Callable[[int], Any],
    lengths: tuple[int, ...] = RUNGS,
    per_character: float = PER_CHARACTER,
    tries: int = TRIES,
) -> str | None:
    """What is wrong with the time that `run` takes on longer and longer texts, if anything is."""
    seconds, length = 0.0, 0
    for length in lengths:
        seconds = _seconds(run, text(length))
        if seconds > ENOUGH:  # the first call may have loaded tables and compiled patterns
            seconds = _seconds(run, text(length))
        if seconds > ENOUGH:
            return f"more than {ENOUGH} s for {length:,} characters"
    if seconds < NOISE or (lengths is RUNGS and _is_straight(run, text, seconds, per_character)):
        return None
    longer = 4 * length
    shorts, longs = [seconds], [_seconds(run, text(longer))]
    while min(longs) > min(GROWTH * min(shorts), per_character * longer):
        if len(longs) == tries:
            return f"{min(longs):.2f} s for {longer:,} characters, {min(shorts):.3f} s for {length:,}"
        shorts.append(_seconds(run, text(length)))  # again: the machine may have been busy
        longs.append(_seconds(run, text(longer)))
    return None


def _is_straight(
    run: Callable[[Any], object], text: Callable[[int], Any], seconds: float, per_character: float
) -> bool:
    """Whether `seconds` for the longest text show that a longer one need not be tried, which takes most."""
    *_, short, length = RUNGS
    if seconds > per_character / 2 * length:
        return False
    shorts = [_seconds(run, text(short)) for _ in range(TRIES)]
    return seconds / length <= STRAIGHT * min(shorts) / short


def _seconds(run: Callable[[Any], object], text: Any) -> float:
    """Processor time of this thread: what other programs take does not count. Ends soon after `ENOUGH`."""
    start = time.thread_time()
    with suppress(TimeoutError), _alarm():
        run(text)
    return time.thread_time() - start


@contextmanager
def _alarm() -> Iterator[None]:
    """Raises TimeoutError when the process has worked for longer than `ENOUGH`."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * ENOUGH)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
