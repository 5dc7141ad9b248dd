"""Every command that the documentation shows is run: here, by another test, or it needs a cloud."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.running import RunningStack

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "infra/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(?:\$ )?(?:\.venv/bin/)?((?:headrace|make|python3?|gcloud|terraform|docker) .*)$")
SAMPLE = str(ROOT / "samples" / "velmora_press_release.txt")
REPORT = str(ROOT / "samples" / "tarnholm_sustainability_report_2025.pdf")

NEEDS_A_CLOUD = re.compile(
    r"--project|\bgs://|--bucket|\bMODELS\b"
    r"|^gcloud |^terraform |^docker |^python3 -c|^make (?:deploy|promote|rollback)\b"
)
"""By its looks: names a project, a bucket, or a tool that speaks to one; or feeds such a tool."""
BY_OTHER_TESTS = {
    r"headrace backfill\b": "tests/e2e/test_backfill.py",
    r"headrace import\b": "tests/e2e/test_import.py",
    r"headrace train\b": "tests/e2e/test_train.py",
    r"headrace compare\b": "tests/integration/test_compare_stored.py",
    r"headrace keys\b": "tests/integration/test_cli_keys.py",
    r"headrace digest verify": "tests/e2e/test_digest_command.py",
    r"headrace digest --since 4w --open": "tests/e2e/test_digest_command.py",  # opens a browser
    r"headrace digest --open": "tests/e2e/test_digest_command.py",
    r"headrace drop page\.jpg": "tests/e2e/test_long_scans.py",
    r"make run|make setup": "tests/e2e/test_stack.py",
    r"make test|make lint": ".ci/run",
    r"make \.venv/\.run": ".ci/run",
    r"make destroy": "tests/integration/test_install_later.py",
    r"python -m model_export train": "tests/unit/test_model_labels.py",
    r"python -m model_export build": "tests/integration/test_model_build.py",
    r"python -m tests\.pin_model": "tests/unit/test_model_training_pin.py",
    r"make accuracy": "benchmarks/accuracy/__main__.py",
    r"python -c": "tests/e2e/test_uploads.py",
    r"python your_script\.py": "docs/migrate.md",  # the reader's own
}
"""What each is run by: a test of the same command, or for what takes hours the command itself."""


def shown() -> list[str]:
    """Every command, without its comment; once."""
    found: list[str] = []
    for page in PAGES:
        for block in FENCE.findall(page.read_text("utf-8")):
            lines = [command[1] for line in block.splitlines() if (command := COMMAND.match(line))]
            found += [re.split(r"\s+#\s| \\$| > | && ", line)[0].strip() for line in lines]
    return sorted(set(found))


HERE = [
    command
    for command in shown()
    if not NEEDS_A_CLOUD.search(command) and not any(re.match(pattern, command) for pattern in BY_OTHER_TESTS)
]


@pytest.fixture(scope="module")
def known(stack: RunningStack) -> str:
    """The id of a document."""
    [shown] = stack.json("drop", SAMPLE, "--wait")
    return str(shown["id"])


def test_commands_are_found() -> None:
    """The pages show many; what is run elsewhere is run by something that exists, and is shown somewhere."""
    assert len(shown()) > 50
    assert len(HERE) >= 8
    for pattern, where in BY_OTHER_TESTS.items():
        assert (ROOT / where).exists(), where
        assert any(re.match(pattern, command) for command in shown()), f"{pattern} is shown nowhere"


@pytest.mark.parametrize("command", HERE)
def test_a_command_of_the_documentation_runs(
    stack: RunningStack, known: str, command: str, tmp_path: Path
) -> None:
    """As it is shown, but for the names that stand for the reader's own."""
    program, *arguments = shlex.split(command)
    assert program == "headrace", f"say in BY_OTHER_TESTS what runs it: {command}"
    own = {"YOUR_REPORT.pdf": REPORT, "REPORT.pdf": REPORT}
    for at, argument in enumerate(arguments):
        if re.fullmatch(r"[0-9a-f]{24}|ID|report\.pdf|other\.pdf", argument):
            arguments[at] = known
        elif at and arguments[at - 1] == "--output":
            arguments[at] = str(tmp_path / argument)
        elif argument.startswith("samples/"):
            arguments[at] = str(ROOT / argument)
        else:
            arguments[at] = own.get(argument, argument)
    done = stack.command(*arguments)
    # The stack is shared: a list of all documents has those that another test let be rejected, and says so.
    allowed = {0, 1} if arguments == ["show"] else {0}
    assert done.returncode in allowed, done.stdout + done.stderr
    assert done.stdout
