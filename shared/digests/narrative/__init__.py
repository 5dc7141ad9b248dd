"""A few sentences about a digest by a language model, each of which cites what it rests on; off by default.

What leaves is redacted text: stored passages are redacted already, and are once more before they are sent.
What comes back is shown only if it can be checked: see `checking`. Whatever the model or its server does, the
digest is complete without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.narrative.asking import ask
from shared.digests.narrative.checking import check
from shared.digests.narrative.prompt import compose
from shared.digests.records import Narrative, NarrativeSentence
from shared.platform.clients import secret
from shared.platform.errors import HeadraceError
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from shared.digests.records import Digest

__all__ = ["narrate"]


def narrate(digest: Digest) -> tuple[Narrative | None, str | None]:
    """The narrative, or a note why there is none; neither where none is asked for, or there is no quote.

    Never raises.
    """
    if not settings().narrative_url or not digest.overview.completed or not digest.quotes():
        return None, None
    try:
        key = secret(settings().redaction_key, settings().redaction_key_version)
        prompt = compose(digest, key)
        sentences = check(ask(prompt), prompt)
    except HeadraceError as error:
        get_logger("narrative").warning("no narrative", why=error.message)
        return None, f"There is no narrative: {error.message}."
    except Exception as error:  # noqa: BLE001 - the digest is complete without it
        get_logger("narrative").warning("no narrative", error=error)
        return None, "There is no narrative: it could not be asked for."
    told = [
        NarrativeSentence(text=one.text, cites=[prompt.quotes[number - 1] for number in one.cites])
        for one in sentences
    ]
    return Narrative(model=settings().narrative_model, sentences=told), None
