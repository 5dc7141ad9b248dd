"""To come."""

from __future__ import annotations

import flask

pages = flask.Blueprint("document", __name__)
