"""Begin an upload: check what is stated of a file, and return the address that takes its bytes.

The address is a resumable session of Cloud Storage, in the cloud as on the local stack. Like a signed URL it
needs no key, and stands for one file of this name, type, size and metadata; unlike one, it can go on where a
connection broke, carries any characters in its metadata, and needs no right to sign in anybody's name. The
pipeline hears of the file once all its bytes are there, as of any other.
"""

from __future__ import annotations

import mimetypes
import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.documents.store import document_id, now
from shared.extract.facts import MAX_TAGS, MAX_UPLOADED, ORGANISATION, TAGS, TITLE, YEAR
from shared.extract.refusals import unsupported
from shared.platform.clients import storage_client
from shared.platform.errors import Rejected, SetupError
from shared.platform.records import INSIDE, MAX_NAME_BYTES, Record
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from shared.platform.settings import Settings

SESSION = timedelta(days=7)
"""How long Cloud Storage keeps a session: https://cloud.google.com/storage/docs/resumable-uploads."""
UNREADABLE = frozenset({"audio", "video", "image", "font"})
"""Kinds of media types that no reader exists for."""
UNKNOWN_TYPE = "application/octet-stream"


def _is_a_name(name: str) -> str:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    if size > MAX_NAME_BYTES:
        raise ValueError(f"must have at most {MAX_NAME_BYTES} bytes")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise ValueError("must have no control characters")
    if {"", ".", ".."} & set(name.split("/")):
        raise ValueError("must be a file's name, perhaps in folders, without empty parts, . and ..")
    if INSIDE in name:
        raise ValueError(f"must not have {INSIDE}, which stands in the names of an archive's members")
    return name


def _in_one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise ValueError("must not be blank")
    try:
        line.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    return line


def _without_comma(tag: str) -> str:
    if "," in tag:
        raise ValueError("must have no comma, which separates tags")
    return tag


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_BYTES), AfterValidator(_is_a_name)]
"""A name that an uploaded object may have."""
Line = Annotated[
    str, Field(min_length=1, max_length=MAX_UPLOADED, pattern=r"\S"), AfterValidator(_in_one_line)
]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=MAX_UPLOADED, pattern=r"^[^,]*[^,\s][^,]*$"),
    AfterValidator(_in_one_line),
    AfterValidator(_without_comma),
]


class NewUpload(BaseModel):
    """A file that is to be uploaded; what is stated of it wins over what it says itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name = Field(description="Of the object, perhaps with folders; another upload replaces it.")
    size: int = Field(ge=1, description="Bytes.")
    content_type: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"^[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*$",
        description="Media type; by default what the name ends with says.",
        examples=["application/pdf"],
    )
    organisation: Line | None = Field(default=None, description="Whose document it is.")
    year: int | None = Field(default=None, ge=1900, le=2099, description="The year that it reports on.")
    title: Line | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS, description="Words to find it by.")

    @property
    def media_type(self) -> str:
        """What is stated, else what the name says."""
        return self.content_type or mimetypes.guess_type(self.name)[0] or UNKNOWN_TYPE

    @property
    def metadata(self) -> dict[str, str]:
        """What is stated, as metadata of the object, which the pipeline reads."""
        stated = {
            ORGANISATION: self.organisation,
            YEAR: str(self.year) if self.year else None,
            TITLE: self.title,
            TAGS: ",".join(self.tags),
        }
        return {name: value for name, value in stated.items() if value}


class BegunUpload(Record):
    """Where to send the bytes of a file: one request, with the whole file as its body."""

    id: str
    """Id of the document that it becomes."""
    name: str
    url: str
    """Whoever has it may upload this one file."""
    method: Literal["PUT"]
    headers: dict[str, str]
    """Headers of that request."""
    expires_at: AwareDatetime


def largest(limits: Settings) -> int:
    """Return the bytes that a file may have: what the long job reads, if there is one."""
    return max(limits.max_bytes, limits.job_max_bytes) if limits.job_name else limits.max_bytes


def begin_upload(upload: NewUpload, *, origin: str | None = None) -> BegunUpload:
    """Begin an upload into the bucket. Nothing is stored until its bytes came, so it may be begun again.

    Args:
        upload: what is stated of the file.
        origin: of the page that sends the bytes, if a browser does: `https://console.example`.

    Raises:
        Rejected: `too_many_bytes` or `unsupported_type`.
        SetupError: there is no bucket.
    """
    from google.api_core.exceptions import NotFound

    if upload.size > (most := largest(settings())):
        raise Rejected(
            "too_many_bytes",
            f"The file has {upload.size:,} bytes; the limit is {most:,}.",
            "Split the document, or ask the operator to raise the limit.",
        )
    kind = upload.media_type.partition("/")[0]
    if kind in UNREADABLE:
        raise unsupported(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} file")
    bucket = settings().uploads_bucket
    blob = storage_client().bucket(bucket).blob(upload.name)
    blob.metadata = upload.metadata
    try:
        url = blob.create_resumable_upload_session(
            content_type=upload.media_type, size=upload.size, origin=origin, **storage_limits()
        )
    except NotFound:
        raise SetupError(f"There is no bucket {bucket}; name yours with HEADRACE_UPLOADS_BUCKET.") from None
    return BegunUpload(
        id=document_id(bucket, upload.name),
        name=upload.name,
        url=url,
        method="PUT",
        headers={"Content-Type": upload.media_type},
        expires_at=now() + SESSION,
    )
