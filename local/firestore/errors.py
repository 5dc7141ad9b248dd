"""What a request can be refused with; the handler turns it into the call's gRPC status."""

from __future__ import annotations

from grpc import StatusCode


class Refused(Exception):
    """The status that the real service would answer with."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refused:
    return Refused(StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> Refused:
    return Refused(StatusCode.ALREADY_EXISTS, message)


def failed_precondition(message: str) -> Refused:
    return Refused(StatusCode.FAILED_PRECONDITION, message)


def unimplemented(what: str) -> Refused:
    return Refused(
        StatusCode.UNIMPLEMENTED, f"{what} is not part of the local Firestore: Headrace never uses it."
    )


def aborted(message: str) -> Refused:
    return Refused(StatusCode.ABORTED, message)
