"""The sentences a person reads when a file cannot be used; every code has one place where it is worded."""

from __future__ import annotations

from shared.platform.errors import Rejected

SUPPORTED = (
    "PDF, Word, PowerPoint and Excel (.docx, .pptx, .xlsx), HTML, EPUB, e-mail (.eml), plain text, Markdown, "
    "CSV, TSV, JSON and JSONL, and .zip or .gz of these"
)


def unsupported(what: str) -> Rejected:
    """The file is of a type that nothing here reads; `what` names the type with its article."""
    return Rejected(
        "unsupported_type",
        f"The file is {what}, which Headrace cannot read.",
        f"Convert it to one of the supported types: {SUPPORTED}.",
    )


def too_many(code_suffix: str, found: str, limit: int) -> Rejected:
    """The file goes beyond a limit; `code_suffix` is the limit's name, as in `too_many_pages`."""
    return Rejected(
        f"too_many_{code_suffix}",
        f"The file has {found}; the limit is {limit:,}.",
        f"Split the document, or ask the operator to raise the limit on {code_suffix}.",
    )


def no_text(message: str, hint: str) -> Rejected:
    """The file was read, and there is nothing in it to analyse."""
    return Rejected("no_text", message, hint)


def encrypted(what: str, *, tried: bool) -> Rejected:
    """The file is locked; `tried` says that a password was given and did not open it."""
    return Rejected(
        "encrypted",
        f"The {what} is protected by a password"
        + (", and the one that is set up for it does not open it." if tried else "."),
        "Upload it without protection, or ask the operator to keep its password in a secret named "
        "docpw-\u2026 and to map the bucket's prefix to that secret.",
    )


def strongly_encrypted() -> Rejected:
    """A ZIP with a password, encrypted by a method that nothing here undoes."""
    return Rejected(
        "encrypted",
        "The archive is encrypted by AES or another method that Headrace cannot undo, whatever the password.",
        "Pack it again without a password or with the traditional encryption (ZipCrypto).",
    )


def damaged_archive() -> Rejected:
    """A ZIP, or what is built on one, that cannot be opened."""
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
    """More comes out of a file than its size promises: a bomb, or what cannot be told from one."""
    return Rejected(
        "inflates_too_much",
        f"Unpacked, the file is larger than the {limit:,} bytes that its packed size allows.",
        "If it is what it should be, unpack it and upload its files one by one.",
    )


def unsafe_archive() -> Rejected:
    """Entries of a ZIP that overlap, or of which two places of the file say different things."""
    return Rejected(
        "unsafe_archive",
        "The archive is built so that programs disagree on what is in it, as an honest one never is.",
        "Pack it again and upload that; or upload its files one by one.",
    )


def damaged_document(what: str) -> Rejected:
    """The inside of a `what`, such as "Word document", is not what it should be."""
    return Rejected(
        "unreadable_document",
        f"The {what} is damaged and cannot be read.",
        "Open it in the program it was made with, save it again and upload that.",
    )


def needs_ocr(*, scanned: bool, tried: bool = False) -> Rejected:
    """The pages can be seen, their text only recognised (if `tried`, in vain): a scan, or fonts that lie."""
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
    """What Word, Excel, PowerPoint wrote before 2007, and Outlook still writes."""
    return Rejected(
        "unsupported_type",
        "The file is a document of an old Office version or an Outlook message (.doc, .xls, .ppt, .msg).",
        "Save it as .docx, .xlsx or .pptx (a message as .eml) and upload that.",
    )
