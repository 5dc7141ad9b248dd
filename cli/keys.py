"""`headrace keys`: print keys for people and programs; the secret of a new one stands alone on its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from cli.say import print_json, say
from shared.api.keys import CACHE_SECONDS, state
from shared.documents.store import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from shared.api.keys import Key, StoredKey


def shape(key: Key) -> dict[str, Any]:
    """Return what programs are shown of a key, never a hash."""
    shown = key.model_dump(mode="json", exclude={"hash", "previous_hash"})
    return shown | {"state": state(key, now())}


def report_secret(key: StoredKey, secret: str, *, as_json: bool) -> None:
    """Print a secret, once: standard output has nothing else, so that a shell's variable can take it."""
    if as_json:
        print_json(shape(key) | {"key": secret})
        return
    until = f"until {_day(key.expires_at)}" if key.expires_at else "never expires"
    say(f"{key.id}  {key.name}: {', '.join(key.scopes)}; {until}", err=True)
    if key.previous_until:
        say(f"The old secret stays valid until {key.previous_until:%Y-%m-%d %H:%M} UTC.", err=True)
    say("Keep it now, it is not shown again. Send it in the header X-API-Key:", err=True)
    say(secret)


def report_revoked(key: Key, *, as_json: bool) -> None:
    """Print that a key is revoked."""
    if as_json:
        print_json(shape(key))
        return
    say(f"{key.id}  {key.name}: revoked. It opens nothing after {CACHE_SECONDS:.0f} seconds.")


def show(console: Console, keys: Sequence[Key]) -> None:
    """Print one line per key."""
    if not keys:
        console.print(
            "No keys but the first, which is in Secret Manager: headrace keys make NAME --scope read"
        )
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "name", "scopes", "state", "expires", "last used", "per minute"):
        grid.add_column(column, overflow="fold")
    for key in keys:
        scopes, limit = ", ".join(key.scopes), f"{key.per_minute:,}" if key.per_minute else "no limit"
        cells = (key.id, key.name, scopes, state(key, now()), _day(key.expires_at), _day(key.used_at), limit)
        grid.add_row(*cells)
    console.print(grid)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"
