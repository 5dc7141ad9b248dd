"""Every path that the API answers.

Routing, checks and the OpenAPI 3.1 description are all made from one list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from shared.api import models
from shared.api.ask import Answer
from shared.api.keys import Scope
from shared.api.requests import MEDIA_TYPE, Problem, not_found
from shared.digests.records import Digest
from shared.documents.compare import Comparison
from shared.documents.contents import MEDIA_TYPES
from shared.documents.corrected import Correction
from shared.documents.replay import LETTER_ID, LetterPage
from shared.documents.views import DocumentView
from shared.intake.uploads import BegunUpload, NewUpload
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from pydantic import BaseModel


VERSION = "1"
OPENAPI = "/openapi.json"
REFERENCE = "/docs"
"""The page to read it; these two alone need no key."""
MCP = "/mcp"
"""The path at which assistants use the tools of `shared.api.assistants`."""
EVENTS = "text/event-stream"
PATTERNS = {
    "id": re.compile(DOCUMENT_ID),
    "index": re.compile(r"^[0-9]{1,9}$"),
    "letter": re.compile(LETTER_ID),
    "digest": re.compile(models.DIGEST_ID),
    "correction": re.compile(r"^[0-9]{1,6}$"),
}
"""Shapes of the parameters in paths. What has another is not found."""


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    name: str
    """Name of the handler, and the operationId in the description."""
    method: str
    path: str
    """The path as OpenAPI writes it."""
    summary: str
    answer: type[BaseModel] | None
    """Shape of the JSON; None: it answers something else."""
    body: type[BaseModel] | None = None
    query: type[models.Query] | None = None
    scope: Scope | None = Scope.READ
    """What a key must let its holder do; None: no key is needed, and the description leaves it out."""
    status: HTTPStatus = HTTPStatus.OK
    produces: tuple[str, ...] = (MEDIA_TYPE,)
    conflicts: bool = False
    """Whether it may come too late: a page token is out of date, or the document has moved on."""
    tagged: bool = False
    """Whether answers have an ETag, and none is sent to whoever has it already."""
    guarded: bool = False
    """Whether it takes `If-Match`."""
    missing: bool = False
    """Whether what its query or body names may be missing; with a parameter in the path it always may."""
    bare: tuple[HTTPStatus, ...] = ()
    """Statuses of answers without a body."""


ENDPOINTS = (
    Endpoint("openapi", "GET", OPENAPI, "The description.", None, scope=None),
    Endpoint("reference", "GET", REFERENCE, "The description, to read.", None, scope=None),
    Endpoint(
        "analyze",
        "POST",
        "/v1/analyze",
        "Sentiment, topics, action, figures and, if asked, the embedding of each text.",
        models.AnalyzeResponse,
        body=models.AnalyzeRequest,
    ),
    Endpoint(
        "ask",
        "POST",
        "/v1/ask",
        "An answer to a question, every sentence with its sources; the best figures and passages.",
        Answer,
        body=models.AskRequest,
    ),
    Endpoint(
        "begin",
        "POST",
        "/v1/uploads",
        "Begin an upload: the address that takes the file's bytes, without a key, for some days.",
        BegunUpload,
        body=NewUpload,
        scope=Scope.UPLOAD,
        status=HTTPStatus.CREATED,
    ),
    Endpoint(
        "documents",
        "GET",
        "/v1/documents",
        "The documents that were dropped.",
        models.DocumentPage,
        query=models.DocumentsQuery,
    ),
    Endpoint("document", "GET", "/v1/documents/{id}", "One document.", DocumentView, tagged=True),
    Endpoint(
        "erase",
        "DELETE",
        "/v1/documents/{id}",
        "Erase everything made from a document, and from the members of an archive; on request its file too.",
        models.ErasureReport,
        query=models.ErasureQuery,
        scope=Scope.OPERATE,
        conflicts=True,
    ),
    Endpoint(
        "passages",
        "GET",
        "/v1/documents/{id}/passages",
        "The passages of a document's published run.",
        models.PassagePage,
        query=models.PassagesQuery,
        conflicts=True,
        tagged=True,
    ),
    Endpoint(
        "similar",
        "GET",
        "/v1/documents/{id}/passages/{index}/similar",
        "The passages of published runs that are nearest in meaning to one, without its copies.",
        models.SimilarResponse,
        query=models.SimilarQuery,
    ),
    Endpoint(
        "tables",
        "GET",
        "/v1/documents/{id}/tables",
        "The tables of a document's published run.",
        models.TablePage,
        query=models.TablesQuery,
        conflicts=True,
    ),
    Endpoint(
        "figures",
        "GET",
        "/v1/figures",
        "Figures of published runs: of one document, or with a data point of all.",
        models.FigurePage,
        query=models.FiguresQuery,
        conflicts=True,
    ),
    Endpoint(
        "initiatives",
        "GET",
        "/v1/initiatives",
        "Initiatives of published runs of all documents, what matters most first.",
        models.InitiativePage,
        query=models.InitiativesQuery,
        conflicts=True,
    ),
    Endpoint(
        "progress",
        "GET",
        "/v1/documents/{id}/progress",
        "Each change of a document's progress as a server-sent event, until it has ended or for a while. "
        "Ask again with `Last-Event-ID`; 204 says that nothing more will come.",
        None,
        produces=(EVENTS,),
        bare=(HTTPStatus.NO_CONTENT,),
    ),
    Endpoint(
        "export",
        "GET",
        "/v1/exports",
        "Documents with figures, tables and passages as a file. `X-Headrace-Notes` says what had no room.",
        None,
        query=models.ExportQuery,
        produces=tuple(MEDIA_TYPES.values()),
        missing=True,
    ),
    Endpoint(
        "corrections",
        "GET",
        "/v1/documents/{id}/corrections",
        "What people corrected in a document, the newest first, with what was undone.",
        models.CorrectionPage,
    ),
    Endpoint(
        "correct",
        "POST",
        "/v1/documents/{id}/corrections",
        "Say what is right of a passage, a figure or the document. Said again by the same key, it is one "
        "correction. `If-Match` is the version of the passage that you saw, `corrected.version` or 0.",
        Correction,
        body=models.CorrectionRequest,
        scope=Scope.CORRECT,
        status=HTTPStatus.CREATED,
        conflicts=True,
        guarded=True,
    ),
    Endpoint(
        "uncorrect",
        "DELETE",
        "/v1/documents/{id}/corrections/{correction}",
        "Take a correction back: what was said before counts again, in the end the model's answer.",
        Correction,
        scope=Scope.CORRECT,
    ),
    Endpoint(
        "digests",
        "GET",
        "/v1/digests",
        "Digests, the last first.",
        models.DigestPage,
        query=models.DigestsQuery,
        conflicts=True,
    ),
    Endpoint("digest", "GET", "/v1/digests/{digest}", "One digest.", Digest),
    Endpoint(
        "make_digest",
        "POST",
        "/v1/digests",
        "Have a digest made of the time until now, or until a moment. Nobody is notified of it.",
        models.AskedDigest,
        body=models.DigestRequest,
        scope=Scope.OPERATE,
        status=HTTPStatus.ACCEPTED,
    ),
    Endpoint(
        "comparisons",
        "GET",
        "/v1/comparisons",
        "Years of an organisation beside each other, or organisations: data points, topics, plans.",
        Comparison,
        query=models.ComparisonQuery,
        missing=True,
    ),
    Endpoint(
        "search",
        "GET",
        "/v1/search",
        "Figures that answer a question, and the passages of published runs nearest to it in meaning.",
        models.SearchResponse,
        query=models.SearchQuery,
    ),
    Endpoint(
        "replays",
        "POST",
        "/v1/replays",
        "Begin documents again. Each run is replaced once, however often that is asked for.",
        models.ReplayReport,
        body=models.ReplayRequest,
        scope=Scope.OPERATE,
        status=HTTPStatus.ACCEPTED,
        missing=True,
    ),
    Endpoint(
        "letters",
        "GET",
        "/v1/dead-letters",
        "Messages that were given up, the newest first.",
        LetterPage,
        query=models.LettersQuery,
        scope=Scope.OPERATE,
        conflicts=True,
    ),
    Endpoint(
        "replay",
        "POST",
        "/v1/dead-letters/{letter}/replay",
        "Begin the document of a message again that was given up.",
        models.ReplayReport,
        scope=Scope.OPERATE,
        status=HTTPStatus.ACCEPTED,
        conflicts=True,
    ),
)
_MAP = Map(
    [
        Rule(each.path.replace("{", "<").replace("}", ">"), endpoint=each, methods=[each.method])
        for each in ENDPOINTS
    ],
    merge_slashes=False,
    redirect_defaults=False,
).bind("")


def route(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """Return the endpoint of a request, and the path's parameters.

    Raises:
        Problem: 404 or, with the methods that the path has, 405.
    """
    endpoint: Any
    try:
        endpoint, arguments = _MAP.match(path, method)
    except NotFound:
        raise not_found(f"There is nothing at this path; the API is described at {OPENAPI}.") from None
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method-not-allowed",
            f"This path answers {allowed}.",
            headers={"Allow": allowed},
        ) from None
    return endpoint, dict(arguments)


def check_arguments(arguments: dict[str, str]) -> None:
    """Refuse parameters of a path that nothing can have: Firestore takes no such ids.

    Raises:
        Problem: 404.
    """
    for name, value in arguments.items():
        if not PATTERNS[name].fullmatch(value):
            raise not_found("There is nothing with this id.")
