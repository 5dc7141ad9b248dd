"""To come."""

from __future__ import annotations

import flask

pages = flask.Blueprint("operations", __name__)
