"""Which bad news is the gravest: people's deaths, told as bad news."""

from __future__ import annotations

import pytest

from shared.text.quality import GRAVE, is_feared, reports_death


@pytest.mark.parametrize(
    ("text", "negative", "positive", "told"),
    [
        ("Two workers died when the scaffold fell.", GRAVE, 0.1, True),
        ("Two workers died when the scaffold fell.", GRAVE - 0.01, 0.1, False),  # told as a plain fact
        ("No deaths were recorded, a great success.", 0.4, 0.5, False),  # good news
        ("Thousands of fish died below the outlet.", 0.9, 0.0, False),  # of animals
        ("The crane driver lost his life in May.", 0.6, 0.0, True),
        ("The plant lost its licence in May.", 0.9, 0.0, False),
    ],
)
def test_deaths_of_people(text: str, negative: float, positive: float, told: bool) -> None:  # noqa: FBT001
    """Each row is decided by one of its three parts."""
    assert reports_death(text, negative, positive) is told


def test_what_might_happen_is_feared() -> None:
    """The month of May is not."""
    assert is_feared("A dry summer could stop the plant.")
    assert not is_feared("The plant stopped in May.")
