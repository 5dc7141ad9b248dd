"""What a webhook is sent: the digest as JSON, or as a message of Slack's.

Slack's limits are those of its reference, docs.slack.dev: Block Kit's header, section and text objects, and
the escaping of `&`, `<` and `>` of "Formatting message text".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.digests.forms import headline, outline, words

if TYPE_CHECKING:
    from shared.digests.records import Digest

MAX_BODY = 1024 * 1024
"""Bytes of a message; a digest that would make it larger is left out of it, and is at the link."""
MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_FIELD = 2_000
MAX_FIELDS = 10
MAX_CHANGES = 10
"""Listed in a message; there may be dozens."""


def as_json(digest: Digest, html: str) -> bytes:
    """The message for programs."""
    message: dict[str, Any] = {
        "type": "headrace.digest",
        "id": digest.id,
        "schedule": digest.schedule,
        "window": digest.window.model_dump(mode="json"),
        "line": digest.line,
        "overview": digest.overview.model_dump(mode="json"),
        "html": html,
        "digest": digest.model_dump(mode="json"),
    }
    body = _encoded(message)
    for part in ("digest", "overview"):
        if len(body) > MAX_BODY:
            del message[part]
            body = _encoded(message)
    return body


def as_slack(digest: Digest, html: str) -> bytes:
    """The message for a channel of Slack."""
    line = words.clean(digest.line)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(headline(digest), MAX_HEADER)},
        {"type": "section", "text": _plain(line, MAX_SECTION)},
    ]
    if not digest.empty:
        fields = [_plain(f"{tile.name}\n{tile.value}", MAX_FIELD) for tile in outline.tiles(digest)]
        blocks.append({"type": "section", "fields": fields[:MAX_FIELDS]})
    if changes := outline.movements(digest):
        lines = [f"{change.sign} {change.sentence}" for change in changes[:MAX_CHANGES]]
        if left := len(changes) - len(lines):
            lines.append(f"and {left} more")
        blocks.append({"type": "section", "text": _plain("\n".join(lines), MAX_SECTION)})
    link = {"type": "mrkdwn", "text": f"<{escape(html)}|Open the digest>"}
    blocks.append({"type": "section", "text": link})
    return _encoded({"text": _cut(line, MAX_SECTION), "blocks": blocks})


def escape(text: str) -> str:
    """As Slack asks, so that nothing in it is a link, a person or a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _cut(text: str, most: int) -> str:
    """Escaped, in so many characters, and no entity cut in two; Slack refuses an empty text."""
    escaped = escape(text.strip()) or "(nothing)"
    if len(escaped) <= most:
        return escaped
    kept = text.strip()[: most - 1]
    while len(escape(kept)) > most - 1:
        kept = kept[:-1]
    return escape(kept) + "…"


def _encoded(message: dict[str, Any]) -> bytes:
    # Firestore keeps no order of keys; a message that is sent again is the same.
    text = json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")
