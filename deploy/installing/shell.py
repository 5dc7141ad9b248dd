"""Run commands: shown before they run, with patience for what Google Cloud does only after minutes."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from deploy.installing.problems import PROPAGATING, cause_of, explain

ROOT = Path(__file__).resolve().parents[2]
PAUSES = (10, 20, 40, 60, 120, 120, 240)
"""Seconds between attempts at what has not spread through Google Cloud yet: a metric takes ten minutes."""
LOST = ("not found: 404", "NOT_FOUND", "was not found", "could not be found", "matched no objects")
"""What gcloud says of what is not there."""
HIDDEN = (*LOST, "PERMISSION_DENIED", "does not have permission", "403")
"""And of what is not there, or may not be seen."""
LOG = ROOT / "build" / "terraform.log"
PLAN = "Terraform will perform the following actions:"
READ = (": Refreshing state...", ": Reading...")
LOCK = ROOT / "build" / "install.lock"


@dataclass
class Shell:
    """Runs the commands of one installation, in the repository's root."""

    dry: bool = False
    """Show the commands that change something instead of running them."""
    place: dict[str, str] = field(default_factory=lambda: {"project": "PROJECT", "region": "REGION"})
    """Project and region, for hints; calls are billed to the project."""
    lock: int | None = None
    skipped: int = 0
    """Commands that were shown alone."""

    def look(self, *command: str, absent: tuple[str, ...] = LOST) -> str | None:
        """Return what a command prints that changes nothing; None where what it asks for is not there.

        Raises:
            Problem: it failed for another reason.
        """
        return self._run(command, None, absent, reading=True)

    def do(self, *command: str, stdin: bytes | None = None, shown: str = "") -> str:
        """Show a command, run it unless this is a dry run, and return what it prints.

        Args:
            command: the command, without anything secret.
            stdin: what it reads, which is not shown.
            shown: what stands before the command in the place of `stdin`.

        Raises:
            Problem: it failed.
        """
        print(f"  $ {shown}{shlex.join(command)}")
        if self.dry:
            self.skipped += 1
            return ""
        return self._run(command, stdin, (), reading=False) or ""

    def follow(self, *command: str) -> tuple[int, str]:
        """Show a long command, run it with its output on the terminal; return its exit status and output.

        It writes to a file, in a session of its own: a terminal that is closed does not end it, and another
        run waits until it has ended (`hold`).
        """
        print(f"  $ {shlex.join(command)}")
        if self.dry:
            self.skipped += 1
            return 0, ""
        LOG.parent.mkdir(exist_ok=True)
        kept = () if self.lock is None else (self.lock,)
        with LOG.open("wb") as log, LOG.open(encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=kept,
            )
            lines = Lines()
            try:
                while process.poll() is None:
                    lines.show(output.read())
                    _wait(process)
            except KeyboardInterrupt:
                print("\nStopping. It finishes what it has begun and notes it; this can take minutes.")
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
                process.wait()
                raise
            lines.show(output.read())
            lines.end()
        return process.returncode, LOG.read_text("utf-8", errors="replace")

    def hold(self) -> None:
        """Keep a second run in this checkout waiting until this one, and what it started, has ended."""
        LOCK.parent.mkdir(exist_ok=True)
        self.lock = os.open(LOCK, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run, or Terraform that it started, is still at work here. Waiting for its end.")
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    def _run(
        self, command: tuple[str, ...], stdin: bytes | None, absent: tuple[str, ...], *, reading: bool
    ) -> str | None:
        quiet = ("--quiet",) if command[0] == "gcloud" else ()
        for pause in (*PAUSES, None):
            done = subprocess.run(
                [*command, *quiet],
                cwd=ROOT,
                env=self._environment(),
                input=stdin or b"",
                capture_output=True,
                check=False,
            )
            said = done.stderr.decode(errors="replace")
            if done.returncode == 0:
                return done.stdout.decode(errors="replace").strip()
            spreading = PROPAGATING.search(said)
            if not spreading and any(words in said for words in absent):
                return None
            if self.dry and spreading:
                print("  cannot be looked at yet: a service is off that this run would switch on")
                return None
            # What changes something may have done so before the network was lost: the next run looks.
            lost = reading and (cause := cause_of(said)) is not None and cause.code == "network"
            if pause is None or not (lost or spreading):
                break
            print(f"  {'no network' if lost else 'not yet'}; again in {pause} seconds")
            time.sleep(pause)
        sys.stdout.write(said)
        raise explain(said + done.stdout.decode(errors="replace"), " ".join(command[:4]), self.place)

    def _environment(self) -> dict[str, str]:
        billed = self.place["project"]
        more = {} if billed == "PROJECT" else {"GOOGLE_CLOUD_QUOTA_PROJECT": billed}
        # Cloud Shell moves gcloud's folder: Terraform does not find a login that was made there.
        login = Path(os.environ.get("CLOUDSDK_CONFIG", ""), "application_default_credentials.json")
        if os.environ.get("CLOUD_SHELL") == "true" and login.is_file():
            more["GOOGLE_APPLICATION_CREDENTIALS"] = str(login)
        return os.environ | more


class Lines:
    """Shows what a command prints, without Terraform's plan and what it reads: thousands of lines."""

    def __init__(self) -> None:
        self._begun, self._plan = "", False

    def show(self, text: str) -> None:
        """Print the lines that the text ends; the rest waits for the next text."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.startswith(PLAN):
                print(f"The plan is in {LOG.relative_to(ROOT)}.")
                self._plan = True
            self._plan = self._plan and not line.startswith("Plan: ")
            if not (self._plan or any(words in line for words in READ)):
                print(line)

    def end(self) -> None:
        """Print what no line end has followed."""
        if self._begun:
            self.show("\n")


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return
