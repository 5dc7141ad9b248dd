"""Office documents with a password: an encrypted package in a container of the old format (MS-OFFCRYPTO).

The container is found by its first bytes and the name of the stream that holds the package.
"""

from __future__ import annotations

import io
import mmap
from typing import TYPE_CHECKING

from shared.extract.refusals import damaged_document, encrypted

if TYPE_CHECKING:
    from pathlib import Path

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def is_locked(path: Path) -> bool:
    """A locked document of today's Office; an open one of the old begins alike."""
    with path.open("rb") as file:
        if file.read(len(OLE)) != OLE:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(_PACKAGE) >= 0  # the directory may lie anywhere in it


def unlock(path: Path, password: str | None) -> bytes:
    """The package that is locked in the file; in memory, as whoever reads a file may not write one.

    Raises:
        Rejected: `encrypted` without the password or with a wrong one, `unreadable_document`.
    """
    if not password:
        raise encrypted("Office document", tried=False)
    from msoffcrypto.exceptions import InvalidKeyError
    from msoffcrypto.format.ooxml import OOXMLFile

    package = io.BytesIO()
    try:
        with path.open("rb") as file:
            document = OOXMLFile(file)
            document.load_key(password=password, verify_password=True)
            document.decrypt(package)
    except InvalidKeyError:
        raise encrypted("Office document", tried=True) from None
    except MemoryError:
        raise
    except Exception as error:  # of damaged files the library lets through whatever happens
        raise damaged_document("Office document") from error
    return package.getvalue()
