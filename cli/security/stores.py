"""Is the database protected, does what is kept end some day, and is the model pinned?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.firestore_admin_v1.types import Database

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATABASE, RETENTION, MODEL = "database", "retention", "model digest"
MAX_RETENTION_DAYS = 5 * 365
"""Beyond which a term hardly is one."""


def judge_database(found: Database) -> Iterator[Finding]:
    """Of Firestore's."""
    name = found.name.rpartition("/")[2]
    update = f"gcloud firestore databases update --database='{name}'"
    if found.delete_protection_state != Database.DeleteProtectionState.DELETE_PROTECTION_ENABLED:
        detail = f"{name}: one command deletes all results."
        yield Finding(DATABASE, "warning", detail, f"{update} --delete-protection")
    else:
        yield Finding(DATABASE, "ok", f"{name}: protected from deletion")
    recovery = Database.PointInTimeRecoveryEnablement.POINT_IN_TIME_RECOVERY_ENABLED
    if found.point_in_time_recovery_enablement != recovery:
        detail = f"{name}: what a mistake overwrites can be read again for one hour."
        yield Finding(DATABASE, "warning", detail, f"{update} --enable-pitr")
    else:
        yield Finding(DATABASE, "ok", f"{name}: seven days can be read again, erased documents among them")


def judge_retention(days: Mapping[str, int]) -> Finding:
    """Whether results end some day; `days` is the setting."""
    fix = "HEADRACE_RETENTION='{\"\": 365}' on ingest; a longer beginning of names may say otherwise"
    if "" not in days:
        some = f"only under {', '.join(sorted(days))}" if days else "nowhere"
        detail = f"Results end {some}: others are kept until somebody erases them."
        return Finding(RETENTION, "warning", detail, fix)
    if long := {prefix: term for prefix, term in days.items() if term > MAX_RETENTION_DAYS}:
        terms = ", ".join(f"{prefix or 'everything'} {term} days" for prefix, term in sorted(long.items()))
        return Finding(RETENTION, "warning", f"Kept for more than {MAX_RETENTION_DAYS} days: {terms}.", fix)
    terms = ", ".join(f"{prefix or 'everything else'} {term} days" for prefix, term in sorted(days.items()))
    return Finding(RETENTION, "ok", terms)


def judge_pins(built: str, pins: Mapping[str, str | None]) -> Iterator[Finding]:
    """Whether what runs is told which model it must hold.

    Args:
        built: digest of the model whose files were verified.
        pins: the digest that each service's settings name, None where they name none.
    """
    for name, pin in sorted(pins.items()):
        set_it = f"set HEADRACE_MODEL_DIGEST={built} on {name}"
        if pin is None:
            yield Finding(MODEL, "warning", f"{name} runs whichever model its image holds.", set_it)
        elif pin != built:
            detail = f"{name} is pinned to {pin[:12]}…; the one built here is {built[:12]}…."
            yield Finding(MODEL, "warning", detail, f"make model, or {set_it}")
        else:
            yield Finding(MODEL, "ok", f"{name}: pinned to {built[:12]}…")
