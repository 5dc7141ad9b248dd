"""What every request has in common: an etag that guards a change, a list in pages, and what is not served."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import grpc

from local.serving import Refused, invalid, unimplemented

if TYPE_CHECKING:
    from google.protobuf.message import Message

T = TypeVar("T")
DEFAULT_PAGE = 100
MAX_PAGE = 1000


def refuse_trial(request: Message) -> None:
    """Raise UNIMPLEMENTED where nothing is to be changed: the checks alone are not served."""
    if request.validate_only:
        raise unimplemented(f"{request.DESCRIPTOR.name}.validate_only")


def match_etag(wanted: str, resource: Message) -> None:
    """Raise ABORTED where a change is meant for another version of the resource."""
    if wanted and wanted != resource.etag:
        raise Refused(
            grpc.StatusCode.ABORTED,
            f"Conflict for resource {resource.name}: version {wanted} was specified, "
            f"but the current version is {resource.etag}.",
        )


def page(resources: list[T], request: Message) -> tuple[list[T], str]:
    """The part that is asked for, and the token of the next, empty on the last.

    Raises:
        Refused: INVALID_ARGUMENT, or UNIMPLEMENTED where what was deleted is asked for: it is gone at once.
    """
    if request.show_deleted:
        raise unimplemented(f"{request.DESCRIPTOR.name}.show_deleted")
    if request.page_size < 0:
        raise invalid("page_size: must not be negative.")
    if request.page_token and not (request.page_token.isascii() and request.page_token.isdigit()):
        raise invalid("page_token: not one that this server gave out.")
    start = int(request.page_token or 0)
    end = start + min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    return resources[start:end], str(end) if end < len(resources) else ""
