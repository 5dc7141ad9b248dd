"""Apply an update to the fields that its mask names, and cut lists into pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.message import Message

    from local.pubsub import protos

DEFAULT_PAGE = 100
MAX_PAGE = 1000


def merge(mask: FieldMask, source: Message, target: Message) -> None:
    """Replace in `target` what the mask names; a field that `source` lacks is cleared.

    Raises:
        Refused: INVALID_ARGUMENT, the mask names no field of the message.
    """
    if not mask.IsValidForDescriptor(target.DESCRIPTOR):
        raise invalid(f"update_mask names no field of {target.DESCRIPTOR.name}: {', '.join(mask.paths)}.")
    mask.MergeMessage(source, target, replace_message_field=True, replace_repeated_field=True)


def page(names: Iterable[str], request: protos.ListTopicsRequest) -> tuple[list[str], str]:
    """The names of one page, in order, and the token of the next, empty on the last.

    The token is the last name before the page, so that a list stays sound while it changes.
    """
    if request.page_size < 0:
        raise invalid("page_size: must not be negative.")
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    rest = sorted(name for name in names if name > request.page_token)
    return rest[:size], rest[size - 1] if len(rest) > size else ""
