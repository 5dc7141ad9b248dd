"""The console: pages for people, over the same code as the API for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import functions_framework
from werkzeug.wrappers import Response

from functions.console.app import application

if TYPE_CHECKING:
    from flask import Request


@functions_framework.http
def console(request: Request) -> Response:
    """The entry point: every path and method."""
    return Response.from_app(application(), request.environ)
