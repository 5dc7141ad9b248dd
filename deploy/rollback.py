"""`python -m deploy.rollback [NAME...]` moves traffic back to what served before the last deployment.

Senders go first this time, so that again no message meets code older than its sender. Doing it twice changes
nothing more. Of a promotion that broke off, only what it has moved goes back, unless functions are named: to
what the rest would go back was replaced by the deployment before. The long job has no traffic to move: build
the earlier commit again.
"""

from __future__ import annotations

import argparse
import sys

from deploy.functions import LAST
from deploy.gcloud import Place, add_place, gcloud, reporting
from deploy.stage import named
from deploy.state import Service, read_service, under_way


def roll_back(place: Place, name: str, service: Service, promotion: str | None) -> str:
    """One function; says what was done. `promotion`: only if it was moved by that of this tag."""
    if promotion and (name == LAST or promotion not in service.promotions):
        return f"{name}: the promotion that broke off has not moved it; by name, it goes back further"
    if service.previous is None:
        return f"{name}: nothing served before {service.serving.name}, or nothing was deployed since"
    if service.previous != service.serving.name:
        to = f"--to-revisions={service.previous}=100"
        gcloud(place, "run", "services", "update-traffic", name, to)
    return f"{name}: {service.previous}"


def main(arguments: list[str] | None = None) -> int:
    """Move traffic back; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.rollback", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all)")
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        place = Place.of(options)
        names = [function.name for function in reversed(named(options.names))]
        services = {name: read_service(place, name, names_only=True) for name in names}
        promotion = None if options.names else under_way(services)
        for name, service in services.items():
            print(roll_back(place, name, service, promotion))

    return reporting("rollback", step)


if __name__ == "__main__":
    sys.exit(main())
