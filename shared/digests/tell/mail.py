"""A digest as an e-mail: plain text and a short page for reading, and the whole page as a file beside them.

Mail programs do not draw the charts of the page, so the message's own page has only figures and a link.
"""

from __future__ import annotations

import html as markup
import re
import smtplib
import time
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from shared.digests.exchange import CONNECT_SECONDS, Later, Unanswered, cut_off, tls_context
from shared.digests.forms import headline, html, markdown, outline, words
from shared.platform.errors import Permanent
from shared.platform.settings import LOOPBACK, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.digests.records import Digest, Quote
    from shared.digests.store import StoredDigest

MAX_SUBJECT = 150
MAX_TEXT = 512 * 1024
"""Characters of the plain text; the file has all."""
MAX_PAGE = 5 * 1024 * 1024
"""Bytes of the file; a larger one is only linked to, since many servers refuse messages of 10 MB."""
TRANSIENT, REFUSED = range(400, 500), range(500, 600)
"""SMTP's replies that ask to come again, and not to (RFC 5321, 4.2.1)."""
NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Of the second, those that are about the login (RFC 4954, 6): it is this side that has to be mended."""
NOT_ASCII = 553
"""What a server would reply to a recipient whose name needs SMTPUTF8, which it lacks (RFC 6531, 3.5)."""
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"""[^\s@()<>\[\]:;,\\"]{{1,64}}@(?:{_LABEL}\.)*{_LABEL}""")
"""The plain form of RFC 5321, 4.1.2, without quoted names and addresses for hosts."""


def compose(
    stored: StoredDigest, link: Callable[[Quote], str], page: str, to: Sequence[str], identifier: str
) -> EmailMessage:
    """The message; the same at every attempt.

    Args:
        stored: what it tells, and when that was made.
        link: where a quote's document is.
        page: where the digest's page is.
        to: all recipients, those that have it already among them.
        identifier: of the delivery; the same makes the same `Message-ID`, by which servers know a copy.

    Raises:
        Permanent: an address is none.
    """
    digest = stored.digest
    message = EmailMessage(policy=SMTP)
    sender = _address(settings().smtp_from)
    message["From"] = sender
    message["To"] = [_address(one) for one in to]
    message["Date"] = stored.made_at
    message["Subject"] = _line(headline(digest))[:MAX_SUBJECT]
    message["Message-ID"] = f"<{quote(identifier, safe='')}@{sender.domain}>"
    message["Headrace-Delivery"] = _line(identifier)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_sendable(markdown(digest, link))[:MAX_TEXT])
    message.add_alternative(_sendable(_short_page(digest, page)), subtype="html")
    whole = html(digest, link).encode("utf-8", "replace")
    if len(whole) <= MAX_PAGE:
        name = f"{quote(digest.id, safe='')}.html"
        message.add_attachment(whole, maintype="text", subtype="html", filename=name)
    return message


def _address(text: str) -> Address:
    if not _ADDRESS.fullmatch(text) or not text.isprintable():
        hint = "Correct the schedule's recipients, or the setting HEADRACE_SMTP_FROM"
        raise Permanent("email_address", "An e-mail address is none", hint)
    local, _, domain = _in_ascii(text).partition("@")
    return Address(username=local, domain=domain)


def _in_ascii(address: str) -> str:
    """With the domain as every mail server knows it, if it can be; the name before it stays as it is."""
    import idna

    local, _, domain = address.rpartition("@")
    with suppress(idna.IDNAError):
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    return f"{local}@{domain}"


def _line(text: str) -> str:
    """Nothing that could begin another header, and nothing that cannot be sent."""
    return _sendable(" ".join("".join(one if one.isprintable() else " " for one in text).split()))


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _short_page(digest: Digest, page: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{markup.escape(tile.name)}</th><td>{markup.escape(tile.value)}</td></tr>'
        for tile in outline.tiles(digest)
    )
    changes = "".join(f"<li>{markup.escape(change.sentence)}</li>" for change in outline.movements(digest))
    title = markup.escape(headline(digest))
    return (
        f'<!doctype html><html lang="en"><head><title>{title}</title></head><body><h1>{title}</h1>'
        f"<p>{markup.escape(words.clean(digest.line))}</p>"
        f"{f'<table>{rows}</table>' if not digest.empty else ''}{f'<ul>{changes}</ul>' if changes else ''}"
        f'<p><a href="{markup.escape(page)}">Open the digest</a></p></body></html>'
    )


def check_set_up() -> None:
    """Raise Later where there is no mail server to hand anything to: somebody may set it up."""
    known = settings()
    if not known.smtp_host or not known.smtp_from:
        name = "HEADRACE_SMTP_HOST" if not known.smtp_host else "HEADRACE_SMTP_FROM"
        raise Later(f"No mail server is set up. Set {name}")
    if known.smtp_security == "none" and known.smtp_host not in LOOPBACK:
        hint = "Set HEADRACE_SMTP_SECURITY to starttls or tls"
        raise Later(f"Mail would leave this machine unencrypted. {hint}")


def send(message: EmailMessage, to: Sequence[str], password: str | None, *, seconds: float) -> dict[str, int]:
    """Hand the message to the mail server; the recipients that it refused for good, with its reply's code.

    Those that it could not even be asked to take are among them: see `NOT_ASCII`.

    Raises:
        Unanswered: the server did not answer.
        Later: it asks to come again, for all recipients or for `left`; or does not let this sender in; or
            what is set here cannot be said to it.
        Permanent: it does not want the message.
    """
    until = time.monotonic() + seconds
    known = settings()
    timeout = min(seconds, CONNECT_SECONDS)
    # Not this machine's own name, which it would have to look up.
    sender = _in_ascii(known.smtp_from)
    own = sender.rpartition("@")[2]
    if known.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=own, timeout=timeout, context=tls_context())
    else:
        server = smtplib.SMTP(local_hostname=own, timeout=timeout)
    # The name that certificates are checked for; `connect` sets it only where the constructor connects.
    server._host = known.smtp_host  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
    asked = {one: _in_ascii(one) for one in to}
    replies: dict[str, tuple[int, bytes]] = {}
    sent = False
    try:
        with cut_off(lambda: server.sock, seconds):
            _log_in(server, password, until)
            replies, going = _readable(server, message, asked.values())
            if going:
                replies |= server.send_message(message, sender, going)
                sent = True
            with suppress(OSError, smtplib.SMTPException):  # it has the message already
                server.quit()
    except smtplib.SMTPRecipientsRefused as error:
        replies |= error.recipients
    except smtplib.SMTPResponseException as error:
        _reply(int(error.smtp_code))
    except smtplib.SMTPNotSupportedError:
        hint = "See HEADRACE_SMTP_SECURITY and HEADRACE_SMTP_USER, and whether _FROM has letters beyond ASCII"
        raise Later(f"The mail server lacks what is asked of it. {hint}") from None
    except UnicodeError:
        hint = "See HEADRACE_SMTP_HOST, HEADRACE_SMTP_USER, HEADRACE_SMTP_PASSWORD, and HEADRACE_SMTP_FROM"
        what = "The mail server's name, or its user, password or sender has letters that SMTP cannot carry"
        raise Later(f"{what}. {hint}") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        late = time.monotonic() >= until
        why = "took too long" if late else f"gave no answer ({type(error).__name__})"
        raise Unanswered(f"The mail server {why}") from None
    finally:
        server.close()
    return _judge({one: int(replies[as_][0]) for one, as_ in asked.items() if as_ in replies}, to, sent=sent)


def _readable(
    server: smtplib.SMTP, message: EmailMessage, to: Iterable[str]
) -> tuple[dict[str, tuple[int, bytes]], list[str]]:
    """Whom the server cannot be asked to take, as if it had replied, and whom it can.

    One name in other letters has the whole message sent as SMTPUTF8, which servers further on may lack. So
    where all that are left do without, none may be in its head: also where an earlier attempt named one.
    """
    server.ehlo_or_helo_if_needed()
    once = list(dict.fromkeys(to))
    going = once if server.has_extn("smtputf8") else [one for one in once if one.isascii()]
    if going and all(map(str.isascii, going)):
        named = [one for one in message["To"].addresses if one.addr_spec.isascii()]
        message.replace_header("To", named)
    return {one: (NOT_ASCII, b"") for one in once if one not in going}, going


def _log_in(server: smtplib.SMTP, password: str | None, until: float) -> None:
    known = settings()
    code, _ = server.connect(known.smtp_host, known.smtp_port)
    if code != 220:  # noqa: PLR2004 - SMTP's greeting
        _reply(code)
    # The time to connect is over. A server that is given up while it takes the message gets it once more.
    assert server.sock is not None
    server.sock.settimeout(max(until - time.monotonic(), 0.001))
    if known.smtp_security == "starttls":
        server.starttls(context=tls_context())
    if known.smtp_user:
        server.login(known.smtp_user, password or "")


def _reply(code: int) -> NoReturn:
    if code in TRANSIENT:
        raise Later(f"The mail server answered {code}") from None
    if code in NOT_LET_IN:
        hint = "See HEADRACE_SMTP_USER, HEADRACE_SMTP_PASSWORD, and HEADRACE_SMTP_SECURITY"
        raise Later(f"The mail server answered {code} to the login. {hint}") from None
    if code not in REFUSED:  # what a connection that was cut off left of one
        raise Unanswered("The mail server gave no reply") from None
    hint = "See the mail server's log for the reason; HEADRACE_SMTP_USER and _FROM are the usual ones"
    raise Permanent("smtp_declined", f"The mail server answered {code}", hint) from None


def _judge(codes: dict[str, int], to: Sequence[str], *, sent: bool) -> dict[str, int]:
    """The recipients that were refused for good; `codes` names those that were not taken until it ended.

    A server that closes the connection at a recipient, by 421, has refused that one alone and got no message.
    """
    refused = {one: code for one, code in codes.items() if code in REFUSED}
    left = [one for one in to if one not in refused and (one in codes or not sent)]
    if left:
        message = f"The mail server did not yet take it for {len(left)} of {len(to)} recipients"
        raise Later(message, left=left, refused=refused)
    return refused
