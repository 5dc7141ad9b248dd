"""Runs `python -m deploy` with scripted trials, in tests of what a deployment does to a project.

`TRIAL_FAILS` names the trial that fails, as `ingest candidate` or `ingest service`. Each trial is noted in
the file `TRIALS`. Identity tokens come from `TOKENS` (tests/token_server.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path.cwd()))  # the checkout that is deployed

from deploy import __main__ as command
from deploy import cloud, trial
from shared.platform.errors import Retryable

if TYPE_CHECKING:
    from deploy.trial import Target


def attempt(target: Target) -> str:
    """Note a trial; fail or die where the script says so."""
    assert target.token in {f"token for https://{target.name}-1.europe-west1.run.app", "token of a person"}
    name = f"{target.name} {'candidate' if '://candidate---' in target.address else 'service'}"
    with Path(os.environ["TRIALS"]).open("a") as trials:
        trials.write(name + "\n")
    if os.environ.get("TRIAL_FAILS") == name:
        raise Retryable(f"{name}: a trial that fails")
    return "tried"


cloud.TOKENS = os.environ["TOKENS"]
trial.attempt = attempt
trial.clear = lambda: None
sys.exit(command.main(sys.argv[1:]))
