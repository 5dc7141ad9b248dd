"""Send a digest by e-mail: plain text, a short page with figures and a link, and the whole page as a file.

Mail programs do not draw the charts of the whole page.
"""

from __future__ import annotations

import smtplib
import time
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.digests import render
from shared.digests.exchange import CONNECT_SECONDS, Later, Unanswered, shut_down_at, tls_context
from shared.digests.render import words
from shared.platform.errors import Permanent
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.digests.records import Source
    from shared.digests.store import StoredDigest

MAX_SUBJECT = 150
TRANSIENT, REFUSED = range(400, 500), range(500, 600)
"""SMTP's replies that ask to try again, and not to (RFC 5321, 4.2.1)."""
LOGIN = frozenset({530, 534, 535, 538})
"""5xx replies about the login (RFC 4954, 6), which the operator can correct."""


def compose(
    stored: StoredDigest, link: Callable[[Source], str], page: str, to: Sequence[str], identifier: str
) -> EmailMessage:
    """Return the message; it is the same at every attempt.

    `link` returns the address of a document at a page, and `page` is that of the digest's page. Servers
    recognize a copy by the `Message-ID`, which is made of the delivery's `identifier`.

    Raises:
        Later: no mail server is set up.
    """
    config = settings()
    if not config.smtp_host or not config.smtp_from:
        name = "HEADRACE_SMTP_HOST" if not config.smtp_host else "HEADRACE_SMTP_FROM"
        raise Later(f"No mail server is set up. Set {name}")
    digest = stored.digest
    message = EmailMessage(policy=SMTP)
    sender = _address(config.smtp_from)
    message["From"] = sender
    message["To"] = [_address(recipient) for recipient in to]
    message["Date"] = stored.made_at
    message["Subject"] = words.clean(render.headline(digest))[:MAX_SUBJECT]
    message["Message-ID"] = f"<{quote(identifier, safe='')}@{sender.domain}>"
    message["Headrace-Delivery"] = words.clean(identifier)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(render.markdown(digest, link))
    message.add_alternative(render.mail(digest, page), subtype="html")
    name, whole = f"{quote(digest.id, safe='')}.html", render.html(digest, link).encode()
    message.add_attachment(whole, maintype="text", subtype="html", filename=name)
    return message


def _address(text: str) -> Address:
    username, _, domain = text.partition("@")
    return Address(username=username, domain=domain)


def send(message: EmailMessage, to: Sequence[str], password: str | None, *, seconds: float) -> None:
    """Hand the message to the mail server within `seconds`, and return if it accepted every recipient.

    Raises:
        Unanswered: the server did not answer in time.
        Later: it asks to try again, and nobody has the message; or the settings have to be corrected.
        Permanent: it rejects the message or recipients; others may have it, so it is not sent again.
    """
    try:
        refused, accepted = _hand_over(message, to, password, seconds), True
    except smtplib.SMTPRecipientsRefused as error:
        refused, accepted = error.recipients, False
    except smtplib.SMTPResponseException as error:
        raise _reply(error.smtp_code) from None
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        hint = "See HEADRACE_SMTP_SECURITY, HEADRACE_SMTP_USER, HEADRACE_SMTP_PASSWORD and HEADRACE_SMTP_FROM"
        what = "The mail server does not support what the settings or recipients need"
        raise Later(f"{what}. {hint}") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unanswered(f"The mail server gave no answer ({type(error).__name__})") from None
    if refused:
        codes = sorted({code for code, _ in refused.values()})
        numbers = f"{len(refused)} of {len(to)} recipients ({', '.join(map(str, codes))})"
        text = f"The mail server refused {numbers}"
        if not accepted and any(code in TRANSIENT for code in codes):
            raise Later(text)
        hint = "See its log for the reason; the schedule's recipients may be wrong"
        raise Permanent("smtp_declined", text, hint)


def _hand_over(
    message: EmailMessage, to: Sequence[str], password: str | None, seconds: float
) -> dict[str, tuple[int, bytes]]:
    """Return the recipients that the server refused, if it accepted others, with its replies."""
    config, until = settings(), time.monotonic() + seconds
    own = _address(config.smtp_from).domain  # not this machine's own name, which it would have to look up
    timeout = min(seconds, CONNECT_SECONDS)
    if config.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=own, timeout=timeout, context=tls_context())
    else:
        server = smtplib.SMTP(local_hostname=own, timeout=timeout)
    server._host = config.smtp_host  # type: ignore[attr-defined] # noqa: SLF001 - whose certificate it must be; `connect` does not set it
    try:
        with shut_down_at(until, lambda: server.sock):
            server.connect(config.smtp_host, config.smtp_port)
            assert server.sock is not None
            # A server that is given up on too early gets the message once more.
            server.sock.settimeout(max(0.0, until - time.monotonic()))
            if config.smtp_security == "starttls":
                server.starttls(context=tls_context())
            if config.smtp_user:
                server.login(config.smtp_user, password or "")
            refused: dict[str, tuple[int, bytes]] = server.send_message(message, config.smtp_from, list(to))
            with suppress(OSError, smtplib.SMTPException):  # it has the message already
                server.quit()
    finally:
        server.close()
    return refused


def _reply(code: int) -> Later | Permanent | Unanswered:
    if code in TRANSIENT:
        return Later(f"The mail server answered {code}")
    if code in LOGIN:
        hint = "See HEADRACE_SMTP_USER, HEADRACE_SMTP_PASSWORD, and HEADRACE_SMTP_SECURITY"
        return Later(f"The mail server answered {code} to the login. {hint}")
    if code not in REFUSED:  # what was left of a connection that was cut off
        return Unanswered("The mail server gave no reply")
    hint = "See the mail server's log for the reason; HEADRACE_SMTP_USER and _FROM are the usual ones"
    return Permanent("smtp_declined", f"The mail server answered {code}", hint)
