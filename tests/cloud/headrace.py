"""`headrace` for an installation on this machine: a document goes through once everything serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cloud.calls import begin, end
from tests.cloud.state import changing


def main(path: Path, arguments: list[str]) -> int:
    """Refuse where a function serves the placeholder still, or a secret has no value."""
    before = begin(path, ["headrace", *arguments])
    with changing(path) as cloud:
        services = cloud.resources("google_cloud_run_v2_service").values()
        serving = [
            one["image"] for each in services for one in each["revisions"] if one["name"] == each["serving"]
        ]
        ready = serving and not any("cloudrun/container/hello" in image for image in serving)
        ready = ready and len(cloud.state["secrets"]) == 2
        if ready and arguments[0] == "drop":
            for bucket in ("uploads", "results"):
                cloud.state["objects"].setdefault(f"{cloud.id}-{bucket}", {})["velmora_press_release.txt"] = (
                    "…"
                )
    if not ready:
        sys.stderr.write("There is no function that could take it.\n")
    end(path, before)
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["CLOUD_STATE"]), sys.argv[1:]))
