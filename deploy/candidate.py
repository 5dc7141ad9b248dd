"""`python -m deploy.candidate NAME` makes the revision of a function that is to be tried, without traffic.

Of a function that stays as it is, that is the revision which serves: the smoke test travels the path as it is
to be. Where nothing changes at all, nothing is done.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from deploy.functions import BASE_IMAGE
from deploy.gcloud import Place, add_place, gcloud, reporting
from deploy.plan import Step, read_plan
from deploy.stage import DIGEST_LENGTH, version
from deploy.state import CANDIDATE, CONTENT, MODEL, Service, read_service
from shared.platform.errors import Retryable

FOLDER = Path("build/candidates")
"""Has, of each function, the name of the revision that is tried."""
BUILDER = "headrace-builder"
"""The account that builds images, the build's own."""
VERSION_LABEL = "headrace-version"


def prepare(place: Place, name: str, step: Step) -> str:
    """Make the candidate; the revision's name.

    Raises:
        Retryable: gcloud failed, or the revision is not what was asked for.
    """
    if step.action == "deploy":
        gcloud(place, "run", "deploy", name, *_flags(place, name, step))
    service = read_service(place, name)
    if step.action == "deploy" and service.latest.digest != step.digest:
        raise Retryable(f"The newest revision of {name}, {service.latest.name}, is not this deployment's.")
    revision = step.revision or service.latest.name
    if service.candidate != revision:
        # Not by `run deploy --tag`, which would leave the revision's name in the service's template:
        # Terraform's next change would ask for another revision of that name, and be refused.
        tag = f"--update-tags={CANDIDATE}={revision}"
        gcloud(place, "run", "services", "update-traffic", name, tag)
    return revision


def _flags(place: Place, name: str, step: Step) -> list[str]:
    # What a service is given, from memory to identity, is Terraform's; a deployment brings the code alone.
    builder = f"{BUILDER}@{place.project}.iam.gserviceaccount.com"
    labels = {CONTENT: step.digest, VERSION_LABEL: version().replace(".", "-")}
    manifest = Path(f"build/{name}/model/manifest.json")
    if manifest.is_file():
        labels[MODEL] = json.loads(manifest.read_text())["digest"][:DIGEST_LENGTH]
    return [
        f"--source=build/{name}",
        f"--function={name}",
        f"--base-image={BASE_IMAGE}",
        "--automatic-updates",
        f"--image={place.repository}/{name}",
        f"--build-service-account=projects/{place.project}/serviceAccounts/{builder}",
        "--no-traffic",
        f"--update-labels={','.join(f'{label}={value}' for label, value in labels.items())}",
    ]


def tried(name: str, service: Service) -> str:
    """The revision that the smoke test tried.

    Raises:
        Retryable: the tag has moved since: two builds at once.
    """
    revision = (FOLDER / name).read_text().strip()
    if service.candidate != revision:
        raise Retryable(
            f"{name}: another build is deploying ({service.candidate}, not {revision}). Build again."
        )
    return revision


def main(arguments: list[str] | None = None) -> int:
    """Make it, if the plan changes anything; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.candidate", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME")
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        plan, place = read_plan(), Place.of(options)
        if not plan.changes:
            print("nothing has changed")
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in options.names:
            revision = prepare(place, name, plan.functions[name])
            (FOLDER / name).write_text(revision + "\n")
            print(f"{name}: {revision} ({plan.functions[name].action})")

    return reporting("candidate", step)


if __name__ == "__main__":
    sys.exit(main())
