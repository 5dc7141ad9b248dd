"""Stands in for gcloud in tests of a deployment: knows a few commands, refuses flags that gcloud has not.

What is deployed is a JSON file, `GCLOUD_STATE`, which also keeps every call. A command, with its flags'
names, that begins with `GCLOUD_FAILS` fails; one that begins with `GCLOUD_LOSES` does its work, and then says
that it failed. A revision of the service `GCLOUD_BREAKS` does not start. What `run deploy` builds takes
processors of the pool of the build that calls it, and is refused where none are left. Identity tokens
there are of a person, `GCLOUD_PERSON`, and none in Cloud Build.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = json.loads((Path(__file__).parent / "data" / "gcloud_flags.json").read_text())
SWITCHES = ("--no-", "--automatic-updates", "--quiet", "--clear-tags", "--to-latest")
"""Flags without a value, of those that are used."""


def command_of(arguments: list[str]) -> tuple[str, list[str], dict[str, str]]:
    """The command, its positional arguments and its flags."""
    words = [argument for argument in arguments if not argument.startswith("--")]
    command = next((name for name in FLAGS["commands"] if words[: len(name.split())] == name.split()), None)
    if command is None:
        raise SystemExit(f"ERROR: (gcloud) Invalid choice: {words}")
    given = dict(argument.partition("=")[::2] for argument in arguments if argument.startswith("--"))
    for flag, value in given.items():
        if flag not in FLAGS["commands"][command] + FLAGS["wide"]:
            raise SystemExit(f"ERROR: (gcloud.{command}) unrecognized arguments: {flag}")
        if not value and not flag.startswith(SWITCHES):
            raise SystemExit(f"ERROR: (gcloud.{command}) argument {flag}: expected one argument")
    for group in FLAGS["exclusive"].get(command, []):
        if len(together := [flag for flag in group if flag in given]) > 1:
            raise SystemExit(f"ERROR: (gcloud.{command}) at most one of {together} may be specified")
    return command, words[len(command.split()) :], given


def deploy(state: dict[str, Any], name: str, flags: dict[str, str]) -> None:
    """A revision with the service's labels, as `--update-labels` puts them on both."""
    if not Path(flags["--source"], "main.py").is_file():
        raise SystemExit(f"ERROR: no source in {flags['--source']}")
    service = state["services"][name]
    if "--no-traffic" not in flags:
        raise SystemExit("ERROR: this stand-in deploys without traffic alone")
    revision = f"{name}-{len(service['revisions']) + 1:05}-dep"
    labels = dict(pair.split("=") for pair in flags["--update-labels"].split(","))
    made = {
        "name": revision,
        "labels": labels,
        "image": f"{flags['--image']}@sha256:{len(service['revisions']):064}",
    }
    # What the template has and no flag changes stays.
    made |= {"probe": probe} if (probe := service["revisions"][-1].get("probe")) else {}
    # As with gcloud, which makes up a name itself where one of these flags is given, and leaves it there.
    service["template_revision"] = revision if {"--tag", "--revision-suffix"} & set(flags) else None
    if os.environ.get("GCLOUD_BREAKS") == name:
        service["revisions"].append(made | {"broken": True})
        return
    service["revisions"].append(made)
    if "--tag" in flags:
        service["tags"][flags["--tag"]] = revision


def update_traffic(state: dict[str, Any], name: str, flags: dict[str, str]) -> None:
    """Traffic and tags, of revisions that there are."""
    service = state["services"][name]
    known = {revision["name"] for revision in service["revisions"]}
    pairs = [
        pair.split("=") for pair in flags.get("--set-tags", flags.get("--update-tags", "")).split(",") if pair
    ]
    if "--set-tags" in flags or "--clear-tags" in flags:
        service["tags"] = {}
    service["tags"] |= dict(pairs)
    for tag in flags.get("--remove-tags", "").split(","):
        service["tags"].pop(tag, None)
    if "--to-revisions" in flags:
        revision, percent = flags["--to-revisions"].split("=")
        assert percent == "100"
        service |= {"serving": revision, "share": 100}
    assert {service["serving"], *service["tags"].values()} <= known


def describe(state: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """As `--format=json` shows it, in the parts that are read."""
    if kind == "jobs":
        if state["job"] is None:
            raise SystemExit(f"ERROR: (gcloud.run.jobs.describe) Cannot find job [{name}].")
        containers = [{"image": state["job"]["image"], "resources": {"limits": state["job"]["limits"]}}]
        task = {"template": {"spec": {"template": {"spec": {"containers": containers}}}}}
        return {"metadata": {"labels": state["job"]["labels"]}, "spec": task}
    if kind == "revisions":
        every = [revision for service in state["services"].values() for revision in service["revisions"]]
        [found] = [revision for revision in every if revision["name"] == name]
        container = {"image": found.get("image", "placeholder")}
        if "probe" in found:
            container["startupProbe"] = {"httpGet": {"path": found["probe"], "port": 8080}}
        metadata = {"name": name, "labels": found["labels"]}
        return {"metadata": metadata, "spec": {"containers": [container]}}
    if name not in state["services"]:
        raise SystemExit(f"ERROR: (gcloud.run.services.describe) Cannot find service [{name}].")
    service = state["services"][name]
    traffic = [{"revisionName": service["serving"], "percent": service.get("share", 100)}]
    for tag, revision in service["tags"].items():
        url = f"https://{tag}---{name}-1.europe-west1.run.app"
        traffic.append({"revisionName": revision, "tag": tag, "url": url})
    status = {
        "url": f"https://{name}-1.europe-west1.run.app",
        "latestCreatedRevisionName": service["revisions"][-1]["name"],
        "latestReadyRevisionName": [one for one in service["revisions"] if "broken" not in one][-1]["name"],
        "traffic": traffic,
    }
    annotations = {"run.googleapis.com/ingress": service.get("ingress", "all")}
    return {"metadata": {"name": name, "annotations": annotations}, "status": status}


def listed(index: dict[str, Any]) -> dict[str, Any]:
    """An index as it is shown; `lists` says how often it will still be shown as being built."""
    shown: dict[str, Any] = index["shown"]
    if index["lists"] == 0:
        return shown
    index["lists"] -= 1
    return shown | {"state": "CREATING"}


def serve(state: dict[str, Any], command: str, words: list[str], flags: dict[str, str]) -> str:
    """Do what a command does; what it prints."""
    if command == "firestore indexes composite list":
        return json.dumps([listed(index) for index in state["indexes"]])
    if flags["--project"] != state["project"] or flags["--region"] != "europe-west1":
        raise SystemExit("ERROR: another place")
    if command.endswith("describe"):
        return json.dumps(describe(state, command.split()[1], words[0]))
    if command == "run deploy":
        deploy(state, words[0], flags)
    elif command == "run services update-traffic":
        update_traffic(state, words[0], flags)
    else:
        labels = dict(pair.split("=") for pair in flags["--labels"].split(","))
        state["job"] |= {"image": flags["--image"], "labels": labels}
    return ""


def answer(arguments: list[str]) -> str:
    """What one call prints; a SystemExit has what it says where it fails."""
    command, words, flags = command_of(arguments)
    called = " ".join([command, *words, *flags])
    path = Path(os.environ["GCLOUD_STATE"])
    state = json.loads(path.read_text())
    state["calls"].append(arguments)
    fails, loses = os.environ.get("GCLOUD_FAILS"), os.environ.get("GCLOUD_LOSES")
    if fails and called.startswith(fails):
        raise SystemExit("ERROR: (gcloud) PERMISSION_DENIED")
    if command == "auth print-identity-token":
        if not os.environ.get("GCLOUD_PERSON"):
            raise SystemExit("ERROR: (gcloud.auth.print-identity-token) No identity token can be obtained.")
        return f"token of {os.environ['GCLOUD_PERSON']}\n"
    said = serve(state, command, words, flags)
    path.write_text(json.dumps(state, indent=1))
    if command == "run deploy" and os.environ.get("GCLOUD_BREAKS") == words[0]:
        raise SystemExit("ERROR: (gcloud.run.deploy) The user-provided container failed to start and listen.")
    if loses and called.startswith(loses):
        raise SystemExit("ERROR: (gcloud) connection lost")
    return said


PROCESSORS, SECONDS = 2, 0.1
"""Processors of the machine that builds a candidate, and seconds of a build, to see others in."""


@contextmanager
def alone() -> Iterator[None]:
    """Only one call at a time reads and writes what is deployed."""
    with Path(os.environ["GCLOUD_STATE"]).with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def take(processors: int) -> None:
    """Take processors of the pool, or give them back where there are less than none."""
    with alone():
        path = Path(os.environ["GCLOUD_STATE"])
        state = json.loads(path.read_text())
        if (pool := state.get("pool")) is None:
            return
        pool["taken"] += processors
        pool["most"] = max(pool["most"], pool["taken"])
        path.write_text(json.dumps(state, indent=1))
    if pool["taken"] > pool["processors"]:
        raise SystemExit(
            "ERROR: (gcloud.run.deploy) FAILED_PRECONDITION: no concurrent builds quota available"
        )


@contextmanager
def building(arguments: list[str]) -> Iterator[None]:
    """What `run deploy` builds from sources takes a machine for as long as it does."""
    if arguments[:2] != ["run", "deploy"]:
        yield
        return
    try:
        take(PROCESSORS)
        time.sleep(SECONDS)
        yield
    finally:
        take(-PROCESSORS)


if __name__ == "__main__":
    with building(sys.argv[1:]), alone():
        said = answer(sys.argv[1:])
    sys.stdout.write(said)
