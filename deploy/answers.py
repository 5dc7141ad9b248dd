"""`python -m deploy.answers` asks the API's candidate for its description, where its address can be reached.

The other functions take requests of the project's Pub/Sub alone (their ingress is internal), which is how the
smoke test reaches three of them. Of sweep and digest it is known that they start: Cloud Run has seen them
listen, and the framework imports a function first.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request

from deploy.gcloud import Place, add_place, reporting, token
from deploy.plan import read_plan
from deploy.state import PUBLIC, read_service
from shared.platform.errors import Retryable

SECONDS = 60.0
"""For an answer, a cold start included."""
OPENAPI = "/openapi.json"


def ask(place: Place) -> str:
    """Ask it; what came of that.

    Raises:
        Retryable: it answered something else.
    """
    service = read_service(place, "api")
    if service.ingress != PUBLIC or service.candidate_url is None:
        return f"api: not asked, its ingress is {service.ingress}"
    # The audience is the service itself, whatever the tag.
    bearer = token(service.url)
    if bearer is None:
        return "api: not asked, this account gets no identity token"
    headers = {"Authorization": f"Bearer {bearer}"}
    request = urllib.request.Request(service.candidate_url + OPENAPI, headers=headers)  # noqa: S310 - Cloud Run's
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310 - the same
            title = json.load(response)["info"]["title"]
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        raise Retryable(f"The API's candidate gives no description: {error}") from error
    return f"api: {title}"


def main(arguments: list[str] | None = None) -> int:
    """Ask, if the plan changes anything; the exit status is 1 where the answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m deploy.answers", description=__doc__)
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        print(ask(Place.of(options)) if read_plan().changes else "nothing has changed")

    return reporting("answers", step)


if __name__ == "__main__":
    sys.exit(main())
