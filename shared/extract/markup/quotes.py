"""What of a message's text did its sender write? Replies quoted below and signatures are not."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"\s{0,3}>")
_WROTE = re.compile(
    r"""(?isx) (?:on|am|le|il|el|em|op|den) \s .{3,300}?
    \b (?:wrote|writes|schrieb|a\ \u00e9crit|ha\ scritto|escribi\u00f3|escreveu|schreef|skrev) \b
    .{0,120} :$"""
)
_ORIGINAL = re.compile(
    r"""(?ix) \s* (?: -{2,} \s* (?:original\ message|urspr\u00fcngliche\ nachricht|message\ d'origine
    |messaggio\ originale|mensaje\ original) \s* -{2,} | _{20,} ) \s* $"""
)
_FORWARDED = re.compile(
    r"""(?ix) \s* (?: -{2,} \s* (?:forwarded\ message|weitergeleitete\ nachricht|message\ transf\u00e9r\u00e9
    |messaggio\ inoltrato|mensaje\ reenviado) \b .{0,80}
    | begin\ forwarded\ message: | anfang\ der\ weitergeleiteten\ nachricht: ) \s* $"""
)
_HEADER = re.compile(
    r"""(?x) \s* \*? (?:From|Sent|Date|To|Cc|Bcc|Subject|Reply-To|Von|Gesendet|Datum|An|Betreff|De|Envoy\u00e9
    |\u00c0|Objet|Da|Inviato|A|Oggetto|Enviado|Para|Asunto) \s? :"""
)
_SIGNATURE = re.compile(r"--\s?$")
_SENT_FROM = re.compile(
    r"(?i)\s*(?:sent from (?:my|outlook|mail)|von meinem|envoy\u00e9 de mon|inviato da)\b.{0,80}$"
)
_MAX_SIGNATURE = 15  # lines below the two hyphens: more is text that happens to follow them
_MAX_INTRODUCTION = 3  # lines that "On such a day, so-and-so wrote:" may be broken into
_MAX_HEADERS = 10


def own_text(text: str) -> str:
    """The text without quoted replies and signature; of one that is nothing but a quote, what it quotes."""
    lines = text.split("\n")
    own = _without_quotes(_without_signature(_above_original(lines)))
    if _has_words(own):
        return "\n".join(own)
    return "\n".join(_QUOTED.sub("", line) for line in _without_headers(lines))


def _above_original(lines: list[str]) -> list[str]:
    """Replies written above the original end there; a forwarded message is what its sender wants read."""
    for at, line in enumerate(lines):
        if _FORWARDED.match(line):
            return [*lines[:at], "", *_without_headers(lines[at + 1 :])]
        if _ORIGINAL.match(line) and any(map(_HEADER.match, lines[at + 1 : at + 4])):
            return lines[:at] if _has_words(lines[:at]) else _without_headers(lines[at + 1 :])
    return lines


def _without_headers(lines: list[str]) -> list[str]:
    """Without the lines that repeat the headers of a forwarded or quoted message."""
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    head = lines[start : start + _MAX_HEADERS]
    count = next((at for at, line in enumerate(head) if not _HEADER.match(line)), len(head))
    return lines[start + count :] if count > 1 else lines


def _without_signature(lines: list[str]) -> list[str]:
    kept = [line for line in lines if not _SENT_FROM.match(line)]
    for at, line in enumerate(kept):
        if not _SIGNATURE.match(line):
            continue
        below = kept[at + 1 : at + _MAX_SIGNATURE + 2]
        length = next((count for count, one in enumerate(below) if _QUOTED.match(one)), len(below))
        if length <= _MAX_SIGNATURE:
            return [*kept[:at], *kept[at + 1 + length :]]
    return kept


def _without_quotes(lines: list[str]) -> list[str]:
    kept: list[str] = []
    quoting = False
    for line in lines:
        quoted = _QUOTED.match(line) is not None
        if quoted and not quoting:
            _drop_introduction(kept)
            kept.append("")
        quoting = quoted or (quoting and not line.strip())
        if not quoting:
            kept.append(line)
    _drop_introduction(kept)
    return kept


def _drop_introduction(kept: list[str]) -> None:
    """The last lines, where they say who wrote what is quoted below."""
    while kept and not kept[-1].strip():
        kept.pop()
    for count in range(1, _MAX_INTRODUCTION + 1):
        if _WROTE.match("\n".join(kept[-count:]).strip()):
            del kept[-count:]
            return


def _has_words(lines: list[str]) -> bool:
    return any(char.isalnum() for line in lines for char in line)
