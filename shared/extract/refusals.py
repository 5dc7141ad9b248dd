"""The sentences that a person reads when a file cannot be used, each worded in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from shared.extract.shapes import Limits

SUPPORTED = (
    "PDF, Word, PowerPoint and Excel (.docx, .pptx, .xlsx), HTML, e-mail (.eml), plain text, Markdown, "
    "CSV, TSV, JSON and JSONL, and .zip or .gz of these"
)


def unsupported(what: str) -> Rejected:
    """No reader exists for the file; `what` names its type with an article."""
    return Rejected(
        "unsupported_type",
        f"The file is {what}, which Headrace cannot read.",
        f"Convert it to one of the supported types: {SUPPORTED}.",
    )


def too_many(code_suffix: str, found: str, limit: int) -> Rejected:
    """The file exceeds a limit; `code_suffix` names the limit, as in `too_many_pages`."""
    return Rejected(
        f"too_many_{code_suffix}",
        f"The file has {found}; the limit is {limit:,}.",
        f"Split the document, or ask the operator to raise the limit on {code_suffix}.",
    )


def too_many_characters(limits: Limits) -> Rejected:
    """The file has more text than the limit."""
    return too_many("characters", f"more than {limits.characters:,} characters of text", limits.characters)


def no_such_page(page: int) -> Rejected:
    """The document has fewer pages."""
    return Rejected("no_such_page", f"The document has no page {page}.", "Pages are counted from 1.")


def not_drawn() -> Rejected:
    """Return the refusal of a damaged page."""
    return Rejected(
        "unreadable_pdf",
        "The page is damaged and cannot be drawn.",
        "Open the PDF in a viewer, save it as a new one and upload that.",
    )


def no_text(message: str, hint: str) -> Rejected:
    """The file was read and holds nothing to analyze."""
    return Rejected("no_text", message, hint)


def encrypted(what: str, *, tried: bool) -> Rejected:
    """The file needs a password; `tried` says that one was given and does not open it."""
    return Rejected(
        "encrypted",
        f"The {what} is protected by a password"
        + (", and the one that is set up for it does not open it." if tried else "."),
        "Upload it without protection, or ask the operator to keep its password in a secret named "
        "docpw-\u2026 and to map the bucket's prefix to that secret.",
    )


def strongly_encrypted() -> Rejected:
    """A ZIP is encrypted by a method that Headrace cannot decrypt."""
    return Rejected(
        "encrypted",
        "The archive is encrypted by AES or another method that Headrace cannot undo, whatever the password.",
        "Pack it again without a password or with the traditional encryption (ZipCrypto).",
    )


def damaged_archive() -> Rejected:
    """A ZIP, or a format built on ZIP, cannot be opened."""
    return Rejected(
        "unreadable_archive",
        "The archive is damaged or was cut off.",
        "Pack it again and upload that; or upload its files one by one.",
    )


def archive_inside() -> Rejected:
    """A ZIP or gzip file came out of an archive; one level is unpacked."""
    return Rejected(
        "archive_in_archive",
        "This archive lies in another archive; Headrace unpacks only the outer one.",
        "Upload the inner archive by itself.",
    )


def inflates_too_much(limit: int) -> Rejected:
    """A file inflates beyond the limit: a bomb, or something that looks like one."""
    return Rejected(
        "inflates_too_much",
        f"Unpacked, the file is larger than the {limit:,} bytes that its packed size allows.",
        "If it is what it should be, unpack it and upload its files one by one.",
    )


def unsafe_archive() -> Rejected:
    """Entries of a ZIP overlap, or its directory and its local headers disagree."""
    return Rejected(
        "unsafe_archive",
        "The archive is built so that programs disagree on what is in it, as an honest one never is.",
        "Pack it again and upload that; or upload its files one by one.",
    )


def damaged_document(what: str) -> Rejected:
    """The content of a `what`, such as "Word document", is damaged."""
    return Rejected(
        "unreadable_document",
        f"The {what} is damaged and cannot be read.",
        "Open it in the program it was made with, save it again and upload that.",
    )


def needs_ocr(*, scanned: bool, tried: bool = False) -> Rejected:
    """The text can only be recognized: a scan, or wrong fonts. If `tried`, recognition found no text."""
    if tried:
        return Rejected(
            "needs_ocr",
            "The pages of this PDF are pictures of text, and no text could be recognised on them.",
            "Scan them again with a higher resolution, or upload the document in another form.",
        )
    return Rejected(
        "needs_ocr",
        "This PDF is a scan: its pages are pictures of text."
        if scanned
        else "The PDF's fonts do not say which letters they draw, so that its text comes out as nonsense.",
        "Run it through a program that recognises text (OCR) and upload the result"
        + ("." if scanned else "; or export it again from the program that made it."),
    )


def old_office() -> Rejected:
    """An Office format from before 2007, which Outlook still writes."""
    return Rejected(
        "unsupported_type",
        "The file is a document of an old Office version or an Outlook message (.doc, .xls, .ppt, .msg).",
        "Save it as .docx, .xlsx or .pptx (a message as .eml) and upload that.",
    )
