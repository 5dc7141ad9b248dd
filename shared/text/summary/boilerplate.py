"""Sentences that every report has and no reader wants in a summary."""

from __future__ import annotations

import re

_OF_THE_REPORT = (
    r"about this report",
    r"(?:reporting|accounting) (?:period|standards?|framework|boundar|principle)",
    (
        r"(?:this|the|our) (?:[\w&-]+ ){0,5}(?:report|statement|document|disclosure)s? "
        r"(?:(?:has|have) been |(?:was|were|is|are|also) )?"
        r"(?:prepared|published|structured|drawn up|audited|reviewed|covers?|contains?|includes?"
        r"|relates?|refers?|provides?|describes?|available|based|subject|intended|should be read)"
    ),
    r"prepared in (?:accordance|compliance|line)",
    r"gri (?:standards?|content|index|sustainab)",
    r"content index",
    r"table of contents",
    r"materiality (?:analysis|assessment|matrix)",
    r"nota metodologica",
    r"note m\u00e9thodologique",
)
_LEGAL = (
    r"forward[- ]looking",
    r"may differ materially",
    r"subject to change",
    r"no (?:assurance|guarantee|obligation|representation|warranty|liability)",
    r"we may make any",
    r"solely for",
    r"does not constitute",
    r"investment advice",
    r"disclaimer",
    r"all rights reserved",
    r"\u00a9|copyright|trademark|imprint",
    r"mentions l\u00e9gales",
    r"masculine form",
    r"commercial code|\bhgb\b",
    r"(?:pursuant to|in accordance with) (?:sec|art|\u00a7|the (?:german|italian|legislative))",
    r"legislative decree",
    r"taxonomy regulation",
    r"delegated (?:act|regulation)",
    r"directive \d|regulation \(eu\)",
)
_OF_THE_AUDITOR = (
    r"limited assurance|assurance engagement",
    r"independent (?:auditor|practitioner)",
    r"isae ?3",
    r"auditing standard",
    r"our engagement",
    r"wirtschaftspr\u00fcf",
)
_REFERENCES = (
    r"(?:can|may) be (?:found|viewed|downloaded)",
    r"please (?:refer|see|visit|contact)",
    r"(?:further|more) (?:details|information)",
    r"(?:see|refer|reference) (?:also )?(?:to )?(?:the )?(?:page|chapter|section|note|table|p\.)",
    r"(?:following|above|below) (?:table|chart|figure|diagram|graph|section|chapter|page)",
    r"(?:table|figure|chart|graph) (?:above|below|\d)",
    r"https?://|www\.",
    r"\[(?:email|phone|ip|iban|card|ssn):",
)
# Of small letters: a pattern that ignores case cannot skip to where one of its first letters stands.
_BOILERPLATE = re.compile("|".join((*_OF_THE_REPORT, *_LEGAL, *_OF_THE_AUDITOR, *_REFERENCES)))


def is_boilerplate(sentence: str) -> bool:
    """Legal notices, what a report or its auditor says of the report itself, references, contact lines."""
    return _BOILERPLATE.search(sentence.lower()) is not None
