"""`python -m deploy.configuration [NAME...]` moves traffic to what `terraform apply` has configured anew.

A change of environment, memory or instances makes a revision of the code that was deployed last, and no
traffic moves to it. Here it is moved without a build, where that code is what serves; any other is to be
tried first. What served before keeps the tag `previous`, as after a deployment. Twice is as once.
"""

from __future__ import annotations

import argparse
import sys

from deploy.gcloud import Place, add_place, gcloud, reporting
from deploy.stage import named
from deploy.state import PREVIOUS, Service, read_service
from shared.platform.errors import SetupError

ALL = 100
"""Percent."""


def promote(place: Place, names: list[str]) -> None:
    """Move the traffic of these functions, in this order, and say what serves.

    Raises:
        SetupError: the newest revision of one may not serve; then none has moved.
        Retryable: gcloud failed; the next call goes on from there.
    """
    services = {name: read_service(place, name) for name in names}
    for name, service in services.items():
        check(name, service)
    for name, service in services.items():
        move(place, name, service)
        print(f"{name}: {service.latest.name}")


def check(name: str, service: Service) -> None:
    """Whether the newest revision may serve.

    Raises:
        SetupError: it may not; the message says why.
    """
    newest, serving = service.latest, service.serving
    if service.created != newest.name:
        raise SetupError(f"{name}: {service.created}, the newest, has not started. Its log says why.")
    if (newest.digest, newest.image) != (serving.digest, serving.image):
        raise SetupError(
            f"{name}: {newest.name}, the newest, has other code than {serving.name}, which serves: that was "
            "rolled back, or never tried. Build what is to serve: docs/deploy.md"
        )


def move(place: Place, name: str, service: Service) -> None:
    """All traffic of one function, unless the newest revision has it."""
    newest, serving = service.latest.name, service.serving.name
    if newest == serving and service.share == ALL:
        return
    options = [f"--to-revisions={newest}={ALL}"]
    if newest != serving:
        # Another build's candidate, if there is one, keeps its tag.
        options.append(f"--update-tags={PREVIOUS}={serving}")
    gcloud(place, "run", "services", "update-traffic", name, *options)


def main(arguments: list[str] | None = None) -> int:
    """Move traffic; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.configuration", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all)")
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        promote(Place.of(options), [function.name for function in named(options.names)])

    return reporting("configuration", step)


if __name__ == "__main__":
    sys.exit(main())
