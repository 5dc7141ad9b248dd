"""By whose key are BigQuery and the images encrypted? No function calls either, so no client is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from google.api_core.exceptions import from_http_response

from cli.diagnosis.findings import CALL_SECONDS, Finding
from cli.security.buckets import ENCRYPTION, judge_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from requests import Session

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
NAME = "headrace"
"""Of the dataset and of the repository, in infra/."""


class Store(NamedTuple):
    """Something that is stored, and where its API has the key."""

    what: str
    address: str
    key: tuple[str, ...]
    """Fields on the way to it."""
    fix: str


def sources_bucket(project: str, region: str) -> str:
    """Where `gcloud run deploy --source` puts what is built, and infra/ makes it before."""
    return f"run-sources-{project}-{region}"


def stores(project: str, region: str) -> list[Store]:
    """What infra/ makes; a table keeps its key when its dataset gets another."""
    dataset = f"https://bigquery.googleapis.com/bigquery/v2/projects/{project}/datasets/{NAME}"
    repositories = (
        f"https://artifactregistry.googleapis.com/v1/projects/{project}/locations/{region}/repositories"
    )
    table = f"{project}:{NAME}.results"
    return [
        Store(
            "images",
            f"{repositories}/{NAME}",
            ("kmsKeyName",),
            f"Make the repository {NAME} anew with --kms-key=KEY, and deploy",
        ),
        Store(
            "BigQuery's new tables",
            dataset,
            ("defaultEncryptionConfiguration", "kmsKeyName"),
            f"bq update --default_kms_key=KEY {project}:{NAME}",
        ),
        Store(
            "BigQuery's results",
            f"{dataset}/tables/results",
            ("encryptionConfiguration", "kmsKeyName"),
            f"bq cp -f --destination_kms_key=KEY {table} {table}",
        ),
    ]


def session() -> Session:
    """With the credentials that the clients have. Google Cloud alone."""
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[SCOPE])
    made: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call] # not annotated
    return made


def judge_stores(asking: Session, listed: Iterable[Store], *, required: bool) -> Iterator[Finding]:
    """Of each, asked of its API.

    Raises:
        GoogleAPIError: an answer that is none, such as that the account may not read it.
    """
    for store in listed:
        answer = asking.get(store.address, timeout=CALL_SECONDS)
        if answer.status_code == 404:  # noqa: PLR2004 - HTTP's: there is none
            detail = f"{store.what}: there is nothing of the name that infra/ gives."
            yield Finding(ENCRYPTION, "unknown", detail, "Where yours has another name, look at its key")
            continue
        if not answer.ok:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # not annotated
        found: Any = answer.json()
        for field in store.key:
            found = found.get(field) or {}
        yield judge_key(store.what, found or None, store.fix, required=required)
