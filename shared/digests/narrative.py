"""A narrative of a digest, written by a language model from the digest's quotes.

Narratives are off by default. Whatever the model or its server does, the digest is complete without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests import cited
from shared.digests.cited import MAX_SENTENCES, Prompt
from shared.digests.records import Narrative, NarrativeSentence
from shared.platform.clients import secret
from shared.platform.errors import HeadraceError
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from shared.digests.records import Digest, Quote

_TASK = f"""\
You write a short summary of a digest of company reports for its readers.
Write 1 to {MAX_SENTENCES} sentences in plain English about what the quotes below say.
"""


def compose(digest: Digest, key: bytes) -> Prompt[Quote]:
    """Return the prompt, with each passage once.

    Raises:
        HeadraceError: there is nothing to cite, no room, or it could cost too much.
    """
    quotes = {(quote.document, quote.index): quote for quote in digest.quotes()}
    return cited.compose(_TASK, quotes.values(), key)


def narrate(digest: Digest) -> tuple[Narrative | None, str | None]:
    """Return the narrative, or a note why there is none; neither if none is asked for, or there is no quote.

    Never raises.
    """
    if not settings().narrative_url or not digest.overview.completed or not digest.quotes():
        return None, None
    try:
        prompt = compose(digest, secret(settings().redaction_key, settings().redaction_key_version))
        sentences = cited.check(cited.ask(prompt), prompt)
    except HeadraceError as error:
        get_logger("narrative").warning("no narrative", why=error.message)
        return None, f"There is no narrative: {error.message}."
    except Exception as error:  # noqa: BLE001 - the digest is complete without it
        get_logger("narrative").warning("no narrative", error=error)
        return None, "There is no narrative: it could not be asked for."
    told = [
        NarrativeSentence(text=sentence.text, cites=[prompt.quotes[number - 1] for number in sentence.cites])
        for sentence in sentences
    ]
    return Narrative(model=settings().narrative_model, sentences=told), None
