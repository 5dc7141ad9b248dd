"""Send something to a webhook: to an address that was checked, by a name whose certificate is checked."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from shared.digests.exchange import Answer, Unreached, post, tls_context
from shared.digests.tell import addresses
from shared.digests.tell.trouble import Later
from shared.platform.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.digests.tell.addresses import Place, Resolver

MAX_REDIRECTS = 3
MAX_ADDRESSES = 3
"""Of one host that are tried."""
MAX_ANSWER = 16 * 1024
"""Bytes; what a receiver says is not used."""
REDIRECTS = frozenset({301, 302, 307, 308})
"""Followed by the same POST. 303 asks for a GET, which would tell nobody anything."""
AGAIN = frozenset({408, 425, 429})
"""And everything from 500 up: these pass."""
MAX_WAIT = 6 * 3600
"""Seconds that a receiver may ask for."""


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    resolve: Resolver = addresses.resolve,
) -> None:
    """Send a body by POST, and return if the receiver took it.

    Raises:
        Unanswered: there was no answer.
        Later: the receiver asks to come again.
        Permanent: nothing may be sent there, or the receiver does not want it.
    """
    until = time.monotonic() + seconds
    place = addresses.parse(url)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _post(place, body, headers, until, resolve)
        if answer.status not in REDIRECTS or "location" not in answer.headers:
            _judge(answer)
            return
        base = f"https://{place.authority}{place.target}"
        try:
            following = addresses.parse(urljoin(base, answer.headers["location"]))
        except ValueError:
            raise addresses.refused("redirects to no address") from None
        # Whoever runs a public webhook must not choose what is asked of the network inside.
        if following.allowed and not place.allowed:
            raise addresses.refused("redirects from a public host to one that is allowed to be private")
        place = following
    raise addresses.refused(f"redirects more than {MAX_REDIRECTS} times")


def _post(place: Place, body: bytes, headers: Mapping[str, str], until: float, resolve: Resolver) -> Answer:
    from urllib3.connection import HTTPSConnection

    context = tls_context()
    trouble = Unreached("The webhook's host could not be looked up")
    for address in addresses.addresses(place, resolve)[:MAX_ADDRESSES]:
        connection = HTTPSConnection(
            address,
            place.port,
            ssl_context=context,
            server_hostname=place.host,
        )
        try:
            sent = {**headers, "host": place.authority}
            return post(connection, place.target, body, sent, until=until, most=MAX_ANSWER)
        except Unreached as error:  # not where it may have the message already
            trouble = error
    raise trouble


def _judge(answer: Answer) -> None:
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return
    if status in AGAIN or status >= 500:  # noqa: PLR2004 - the class of faults of the server
        asked = answer.headers.get("retry-after", "")
        wait = min(int(asked), MAX_WAIT) if re.fullmatch(r"[0-9]{1,9}", asked) else 0
        raise Later(f"The webhook answered {status}", wait)
    raise Permanent(
        "webhook_declined",
        f"The webhook answered {status}",
        "Ask whoever runs it; the address may have been withdrawn",
    )
