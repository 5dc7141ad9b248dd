"""How the command line prints: names and texts are strangers', and a terminal obeys controls in them.

Everything goes through `say`, `write` or `cli.render.terminal`; ruff refuses `click.echo` elsewhere.
"""

from __future__ import annotations

import json
import re

import click

_HIDDEN = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
HIDDEN = re.compile(f"[{_HIDDEN}]")
"""Controls, halves of characters, and what breaks lines or turns the direction of others. Not tabs and ends
of lines."""
UNSAFE = re.compile(f"[{_HIDDEN}\t\n]")
"""The same with tabs and line ends: what must not be inside a line of output."""


def escape(text: str) -> str:
    r"""Return the text with every unsafe character as Python writes it: `\n`, `\x1b`, `\u202e`."""
    return UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def say(line: str, *, err: bool = False) -> None:
    """Print one line; a line end inside it is shown, so no name can pass for a line of its own."""
    click.echo(escape(line), err=err)  # noqa: TID251 - the one place


def write(text: str) -> None:
    """Print text of several lines, with what a terminal would obey escaped."""
    click.echo(HIDDEN.sub(lambda match: escape(match[0]), text), nl=False)  # noqa: TID251 - the other


def print_json(value: object) -> None:
    """Print one JSON value on standard output, with what a terminal would obey escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    write(HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
