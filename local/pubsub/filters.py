"""Evaluate the filter language of subscriptions over a message's attributes.

    attributes:key                      the key is there
    attributes.key = "v"                the key is there with this value
    attributes.key != "v"               the contrary, so also true where the key is missing
    hasPrefix(attributes.key, "v")      the key's value starts so
    NOT, AND, OR, parentheses           NOT binds first; AND and OR mix only with parentheses

A key of other characters than letters, digits, `-` and `_` is written as a string.
Source: https://cloud.google.com/pubsub/docs/subscription-message-filter
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Predicate = Callable[[Mapping[str, str]], bool]

MAX_FILTER_BYTES = 256
MAX_DEPTH = 64
"""Nested parentheses and NOTs; 256 bytes could nest 128 deep and gain nothing."""

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_-]+)|(?P<mark>!=|[=:.,()]))', re.DOTALL
)
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class NotAFilter(ValueError):
    """The text is not a filter; the message says where and what was expected."""


def compile_filter(text: str) -> Predicate:
    """The predicate that a filter stands for; the empty filter takes every message.

    Raises:
        NotAFilter: too long, or not of the grammar.
    """
    if len(text.encode()) > MAX_FILTER_BYTES:
        raise NotAFilter(f"a filter has at most {MAX_FILTER_BYTES} bytes")
    if not text.strip():
        return lambda _attributes: True
    return _Parser(text).whole()


class _Parser:
    """Recursive descent: one method for each rule, one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Predicate:
        predicate = self._expression()
        if self._next < len(self._tokens):
            raise self._unexpected("AND, OR or the end")
        return predicate

    def _expression(self) -> Predicate:
        terms = [self._term()]
        operator = self._peek()
        if operator not in {"AND", "OR"}:
            return terms[0]
        while self._accept(operator):
            terms.append(self._term())
        if self._peek() in {"AND", "OR"}:
            raise self._unexpected("parentheses, where AND and OR mix")
        combine = all if operator == "AND" else any
        return lambda attributes: combine(term(attributes) for term in terms)

    def _term(self) -> Predicate:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotAFilter(f"nested deeper than {MAX_DEPTH}")
        try:
            if self._accept("NOT"):
                term = self._term()
                return lambda attributes: not term(attributes)
            if self._accept("("):
                inner = self._expression()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Predicate:
        if self._accept("hasPrefix"):
            self._expect("(")
            self._expect("attributes")
            self._expect(".")
            key = self._key()
            self._expect(",")
            prefix = self._string()
            self._expect(")")
            return lambda attributes: key in attributes and attributes[key].startswith(prefix)
        self._expect("attributes")
        if self._accept(":"):
            key = self._key()
            return lambda attributes: key in attributes
        self._expect(".")
        key = self._key()
        if self._accept("!="):
            value = self._string()
            return lambda attributes: attributes.get(key) != value
        self._expect("=")
        value = self._string()
        return lambda attributes: attributes.get(key) == value

    def _key(self) -> str:
        token = self._peek()
        if token[:1] == '"':
            return self._string()
        if not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise self._unexpected("an attribute's key")
        self._next += 1
        return token

    def _string(self) -> str:
        token = self._peek()
        if token[:1] != '"':
            raise self._unexpected('a string in "quotes"')
        self._next += 1
        return _ESCAPE.sub(_unescape, token[1:-1])

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _accept(self, token: str) -> bool:
        taken = self._peek() == token
        self._next += taken
        return taken

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise self._unexpected(token)

    def _unexpected(self, wanted: str) -> NotAFilter:
        return NotAFilter(f"expected {wanted}, found {self._peek() or 'the end'}")


def _tokens(text: str) -> list[str]:
    tokens, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotAFilter(f"not understood at character {position + 1}: {text[position : position + 10]}")
        tokens.append(match[0].lstrip())
        position = match.end()
    return tokens


def _unescape(match: re.Match[str]) -> str:
    for digits, base in ((match[1] or match[2] or match[3], 16), (match[4], 8)):
        if digits:
            code = int(digits, base)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004  # Unicode's own limits
                raise NotAFilter(f"{match[0]} is not a character")
            return chr(code)
    return _LETTERS.get(match[5], match[5])
