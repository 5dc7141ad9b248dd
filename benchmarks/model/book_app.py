"""A prediction service as the book has it: Flask around transformers' pipeline, one text a request.

Served in the peers' environment by `gunicorn -w 4 benchmarks.model.book_app:app`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

flask = import_module("flask")
app = flask.Flask(__name__)
classify = import_module("transformers").pipeline("sentiment-analysis", model=os.environ["BOOK_MODEL"])


@app.post("/predict")  # type: ignore[untyped-decorator]  # flask is the peers' and untyped here
def predict() -> Any:  # noqa: ANN401 - as above
    """The label and score of the request's text."""
    return flask.jsonify(classify(flask.request.get_json()["text"]))
