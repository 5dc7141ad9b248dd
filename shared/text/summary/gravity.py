"""Which bad news is the gravest? People's deaths; then what went wrong; then what might."""

from __future__ import annotations

import re

GRAVE = 0.35
"""Probability of negative from which a death counts as told: a passage that goes on with what was done about
it is half neutral."""

_DEATH = re.compile(
    r"(?i)\b(?:died|dies|deaths?|fatal(?:ity|ities|ly)?|killed|kills|perished"
    r"|(?:lost|losing|cost) (?:(?:his|her|their|its|an?|one|two|three|several|many|\d+) )?li(?:fe|ves))\b"
)
_OF_ANIMALS = re.compile(
    r"(?i)\b(?:fish|animals?|birds?|bees?|cattle|livestock|wildlife|trees?|seals?|salmon)\b"
)
_RISK = re.compile(  # "May" is a month
    r"\b(?:could|may|might|can|would|risks?|k\u00f6nnte\w*|pourrai\w*|potrebbe\w*)\b"
)


def tells_of_death(text: str, negative: float, positive: float) -> bool:
    """Whether a sentence of such probabilities tells of people's deaths."""
    return (
        negative >= max(GRAVE, positive)
        and _DEATH.search(text) is not None
        and _OF_ANIMALS.search(text) is None
    )


def is_feared(text: str) -> bool:
    """Whether it tells of what might happen."""
    return _RISK.search(text) is not None
