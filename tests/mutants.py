"""Remove one guard at a time from a copy of the tree, and check that a test named for it fails.

    python -m tests.mutants              try every mutant of the table
    python -m tests.mutants lease fence  try those whose guard or place contains one of these words

A mutant is killed if one of its tests fails, and survives if all of them pass. The exit status is 1 if one
survives, or if the code it replaces is not found exactly once (`tests/unit/test_mutants.py` checks that too).
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
COPIES = 2
"""Mutants tried side by side, each in a copy of its own."""
SECONDS = 900
"""For the tests of one mutant; one that makes them hang is killed."""
OPTIONS = ("--hypothesis-profile", "mutants")
"""A failing example need not be made small."""
FAILED = 1
"""pytest's exit status where a test failed; others say that the tests did not run."""


@dataclass(frozen=True)
class Mutant:
    """One change that the tests must notice."""

    guard: str
    """What no longer holds."""
    place: str
    """`path::function`, the function with the classes that it is in."""
    code: str
    """Stands in the function exactly once."""
    instead: str
    tests: str
    """Test files, or single tests of them, of which at least one must fail; separated by spaces."""

    def path(self, root: Path) -> Path:
        return root / self.place.partition("::")[0]

    def applied(self, root: Path) -> str:
        """The file's text with the change.

        Raises:
            LookupError: the function is not there, or the code does not stand in it exactly once.
        """
        text = self.path(root).read_text("utf-8")
        lines = text.splitlines(keepends=True)
        node = _function(ast.parse(text), self.place.partition("::")[2].split("."))
        if node is None or node.end_lineno is None:
            raise LookupError(f"{self.place} is not there")
        first, last = node.lineno - 1, node.end_lineno
        body = "".join(lines[first:last])
        if (count := body.count(self.code)) != 1:
            raise LookupError(f"{self.place} has {count} times: {self.code}")
        return "".join([*lines[:first], body.replace(self.code, self.instead), *lines[last:]])


def _function(
    node: ast.AST, names: list[str]
) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and child.name == names[0]
        ):
            return child if len(names) == 1 else _function(child, names[1:])
    return None


TRANSITIONS, HISTORIES = "tests/unit/test_transitions.py", "tests/integration/test_documents_model.py"
TAKEOVERS, OUTBOX = "tests/integration/test_takeovers.py", "tests/integration/test_digest_outbox.py"
ROUNDS, ERASURE = "tests/integration/test_sweep_rounds.py", "tests/integration/test_erasure.py"
LETTERS, TICKS = "tests/integration/test_dead_letters.py", "tests/integration/test_digest_ticks.py"
LATE, FORGED = "tests/integration/test_erasure_late.py", "tests/integration/test_forged_batches.py"
KEYS, STORED_KEYS = "tests/unit/test_api_keys.py", "tests/integration/test_cli_keys.py"
CORRECTIONS = "tests/integration/test_corrections.py"
LEFTOVERS, LEFTOVER_FILES = "tests/integration/test_leftovers.py", "tests/integration/test_leftover_files.py"

MUTANTS = (
    # What the state machine refuses.
    Mutant(
        "an upload of an older generation is superseded",
        "shared/documents/transitions.py::claim",
        "event.generation < document.generation",
        "False",
        TRANSITIONS,
    ),
    Mutant(
        "a live lease refuses a second delivery",
        "shared/documents/transitions.py::claim",
        "take(document.lease, by.holder",
        "take(None, by.holder",
        TRANSITIONS,
    ),
    Mutant(
        "a takeover gets the next lease token",
        "shared/documents/transitions.py::claim",
        "lease=lease",
        "lease=document.lease",
        TRANSITIONS,
    ),
    Mutant(
        "a restart asked for twice starts one run",
        "shared/documents/transitions.py::claim",
        "event.restart_run + 1 != document.run",
        "False",
        TRANSITIONS,
    ),
    Mutant(
        "a late upload does not bring back an erased document",
        "shared/documents/transitions.py::claim",
        "or event.generation <= by.erased_up_to",
        "",
        LATE,
    ),
    Mutant(
        "the lease token fences two instances of ingest",
        "shared/documents/transitions.py::check_held",
        "or document.lease.token != claimed.lease.token",
        "",
        TRANSITIONS,
    ),
    Mutant(
        "the run number fences batches",
        "shared/documents/transitions.py::check_run",
        "document.run != run",
        "False",
        TRANSITIONS,
    ),
    Mutant(
        "the generation fences batches of an earlier life",
        "shared/documents/transitions.py::check_run",
        "document.generation != generation",
        "False",
        TRANSITIONS,
    ),
    Mutant(
        "a terminal state never changes",
        "shared/documents/transitions.py::check_open",
        "document.state in TERMINAL",
        "False",
        TRANSITIONS,
    ),
    # What the transactions check and write.
    Mutant(
        "a plan checks the claim",
        "shared/documents/store.py::Documents.plan",
        "transitions.check_held(current, claimed)",
        "current",
        HISTORIES,
    ),
    Mutant(
        "only an unfinished run fails",
        "shared/documents/store.py::Documents.fail",
        "transitions.check_open(current, run, generation)",
        "current",
        HISTORIES,
    ),
    Mutant(
        "a rejected file leaves nothing published",
        "shared/documents/transitions.py::reject",
        '"published_run", ',
        "",
        "tests/integration/test_published_facts.py",
    ),
    Mutant(
        "a run that is replaced is superseded",
        "shared/documents/store.py::Documents.write",
        '{"state": "superseded", "ended_at": after.updated_at}',
        '{"ended_at": after.updated_at}',
        HISTORIES,
    ),
    Mutant(
        "a result is announced before the next run begins",
        "shared/documents/store.py::Documents.claim",
        "document.run != claimed.run and transitions.is_unannounced(document)",
        "False",
        "tests/integration/test_announcements.py",
    ),
    Mutant(
        "the end of a run leaves its result to be announced",
        "shared/documents/transitions.py::end",
        "results_pending=True",
        "results_pending=False",
        "tests/integration/test_announcements.py",
    ),
    # Batches.
    Mutant(
        "a batch that is committed in parts keeps the figures of each",
        "shared/documents/completion.py::commit",
        "[*before, content]",
        "[content]",
        "tests/integration/test_figures_stored.py",
    ),
    Mutant(
        "a passage of another kind is not copied",
        "shared/documents/planning.py::copied",
        "            passage.kind,",
        '            earlier.get("kind", "text"),',
        "tests/integration/test_figures_stored.py",
    ),
    Mutant(
        "a batch continues where its record stands",
        "shared/documents/completion.py::commit",
        'record["upto"] != results[0].index',
        "False",
        HISTORIES,
    ),
    Mutant(
        "a batch of another model or cut is refused",
        "shared/documents/batches.py::check",
        "(document.batches.model, document.batches.artefact) != (message.model, message.artefact)",
        "False",
        f"{TAKEOVERS} {FORGED}",
    ),
    Mutant(
        "no batch commits before the plan of a run that was taken over",
        "shared/documents/batches.py::check",
        "document.lease and document.lease.token > 1",
        "False",
        TAKEOVERS,
    ),
    Mutant(
        "a takeover drops what another revision committed",
        "shared/documents/batches.py::drop_others",
        "kinds <= {kind}",
        "True",
        TAKEOVERS,
    ),
    Mutant(
        "a reader that lost its run drops nothing",
        "shared/documents/batches.py::drop_others",
        "check(documents.read(transaction, reference.id))",
        "pass",
        TAKEOVERS,
    ),
    Mutant(
        "a file is planned by batches that belong to it",
        "functions/analyze/main.py::on_batch",
        "artefacts.check_planned(message)",
        "pass",
        FORGED,
    ),
    # Completion, purge and announcement.
    Mutant(
        "a run completes when every batch has its record",
        "shared/documents/completion.py::_complete",
        "batches.count_done(reference, document.run) < document.batches.total",
        "False",
        "tests/integration/test_documents_contention.py tests/integration/test_documents_alone.py",
    ),
    Mutant(
        "a correction between the reading of batches and the completion is not lost",
        "shared/documents/completion.py::_complete",
        "current.corrections != seen.corrections",
        "False",
        CORRECTIONS,
    ),
    Mutant(
        "a batch that commits after a correction has it",
        "shared/documents/completion.py::_as_corrected",
        "not document.corrections",
        "True",
        CORRECTIONS,
    ),
    Mutant(
        "a correction holds in every run that has the text",
        "shared/documents/corrections.py::correct",
        "{name: passage} | _twins(transaction, current, reference, new.text_hash)",
        "{name: passage}",
        CORRECTIONS,
    ),
    Mutant(
        "who saw another version is refused",
        "shared/documents/corrections.py::correct",
        "seen not in {None, force.version}",
        "False",
        CORRECTIONS,
    ),
    Mutant(
        "what people said is not what another document copies",
        "shared/documents/planning.py::copied",
        "model_answer(result_of(earlier))",
        "result_of(earlier)",
        CORRECTIONS,
    ),
    Mutant(
        "erasing a document erases its corrections",
        "shared/documents/erasure.py::erase_stored",
        "for part in PARTS)",
        'for part in PARTS if part != "corrections")',
        CORRECTIONS,
    ),
    Mutant(
        "a result is noted as announced after it was published",
        "shared/documents/completion.py::announce",
        "publish_record(RESULTS, [message], state=message.state)",
        "pass",
        "tests/integration/test_announcements.py",
    ),
    Mutant(
        "what a later end leaves is still to be purged",
        "shared/documents/completion.py::_note_removed",
        'is_as_read(current, seen, "state", "published_run")',
        "True",
        LEFTOVERS,
    ),
    Mutant(
        "a failed run keeps what its replay copies",
        "shared/documents/completion.py::stale_runs",
        "(record and record.restarts) or 0",
        "0",
        LEFTOVERS,
    ),
    # Erasure.
    Mutant(
        "what was uploaded since it was chosen is not erased",
        "shared/documents/erasure.py::check_unchanged",
        "seen(document) == expected",
        "True",
        ERASURE,
    ),
    Mutant(
        "what is uploaded during an erasure is kept",
        "shared/documents/erasure.py::_Hold.delete",
        'self._own is None or document.state != "erasing" or not is_as_read(document, self._own)',
        "False",
        f"{ERASURE} {LATE}",
    ),
    Mutant(
        "an erasure leaves a tombstone",
        "shared/documents/erasure.py::_Hold.delete",
        "self._stay_gone(transaction, max(self._deleted, document.generation))",
        "pass",
        LATE,
    ),
    Mutant(
        "nothing is published of what is being erased",
        "shared/documents/transitions.py::erase",
        ', "published_run": None',
        "",
        ERASURE,
    ),
    Mutant(
        "a document that is being read is erased later",
        "functions/sweep/main.py::expire",
        "is_being_read(document)",
        "False",
        LEFTOVER_FILES,
    ),
    # Recovery.
    Mutant(
        "two sweeps count one attempt",
        "shared/documents/recovery.py::recover",
        "current.updated_at != document.updated_at",
        "False",
        ROUNDS,
    ),
    Mutant(
        "a document that never moves is given up",
        "shared/documents/recovery.py::recover",
        "attempts > settings().sweep_attempts",
        "False",
        ROUNDS,
    ),
    # Redelivery.
    Mutant(
        "a message is acknowledged only after its step",
        "shared/platform/pubsub.py::answer",
        "status = AGAIN",
        "status = ACKNOWLEDGED",
        "tests/unit/test_answer.py",
    ),
    Mutant(
        "a malformed message is acknowledged only once it is kept",
        "shared/platform/pubsub.py::_refuse",
        "return AGAIN",
        "return ACKNOWLEDGED",
        f"{LETTERS} tests/unit/test_answer.py",
    ),
    Mutant(
        "a second delivery of a dead letter keeps its run",
        "functions/deadletter/main.py::on_dead_letter",
        'run or recorded.get("run")',
        "run",
        LETTERS,
    ),
    Mutant(
        "a stranger's message fails no document",
        "functions/deadletter/main.py::on_dead_letter",
        "if refused or document is None",
        "if document is None",
        LETTERS,
    ),
    Mutant(
        "first requests at once load one model",
        "functions/analyze/main.py::engine",
        "with _LOADING:",
        "if True:",
        "tests/unit/test_loading.py",
    ),
    Mutant(
        "contention is waited for, then the message comes again",
        "shared/documents/store.py::_passes",
        "return error is not None and is_transient(error)",
        "return False",
        "tests/integration/test_short_transaction.py",
    ),
    # Leases of shards, trainings and digests' slots.
    Mutant(
        "a lease that is held is refused to others",
        "shared/platform/lease.py::take",
        "is_held(lease, moment)",
        "False",
        "tests/unit/test_lease.py",
    ),
    Mutant(
        "each new holder gets the next token",
        "shared/platform/lease.py::take",
        "token=lease.token + 1",
        "token=lease.token",
        "tests/unit/test_lease.py",
    ),
    # Keys.
    Mutant(
        "an assistant gets only the tools that its key allows",
        "shared/api/mcp_server.py::_allowed",
        "tool.scope in scopes",
        "True",
        "tests/integration/test_corrections.py::test_an_assistant_corrects_only_with_a_key_for_it",
    ),
    Mutant(
        "a number of an answer stands in what it cites",
        "shared/digests/cited.py::check",
        "not numbers(sentence.text) <= set().union(*map(numbers, cited))",
        "False",
        "tests/integration/test_ask.py::test_what_cannot_be_checked_is_not_shown",
    ),
    Mutant(
        "a question leaves redacted",
        "shared/digests/cited.py::compose",
        "_clean(question, key)",
        "question",
        "tests/integration/test_ask.py::test_no_personal_data_of_a_question_leaves",
    ),
    Mutant(
        "a key needs the scope of what it asks for",
        "shared/api/keys.py::KeyRing._admit",
        "scope is not None and scope not in key.scopes",
        "False",
        KEYS,
    ),
    Mutant(
        "a revoked key opens nothing",
        "shared/api/keys.py::state",
        "key.revoked_at is not None",
        "False",
        KEYS,
    ),
    Mutant(
        "an expired key opens nothing",
        "shared/api/keys.py::state",
        "key.expires_at <= moment",
        "False",
        KEYS,
    ),
    Mutant(
        "a key opens by its secret, not by its id",
        "shared/api/keys.py::KeyRing.check",
        "and accepted(key, record.hashes(now()))",
        "",
        KEYS,
    ),
    Mutant(
        "what an instance knows of a key is soon forgotten",
        "shared/api/keys.py::KeyRing._record",
        "asked - known[0] < CACHE_SECONDS",
        "True",
        KEYS,
    ),
    Mutant(
        "the age of a record counts from the question",
        "shared/api/keys.py::KeyRing._record",
        "] = asked, record",
        "] = self._clock(), record",
        KEYS,
    ),
    Mutant(
        "an old secret ends with its grace",
        "shared/api/keys.py::StoredKey.hashes",
        " and moment < self.previous_until",
        "",
        KEYS,
    ),
    Mutant(
        "a rotation brings no expired secret back to life",
        "shared/api/keys.py::rotate",
        "min(until, expires)",
        "until",
        STORED_KEYS,
    ),
    Mutant(
        "a revoked key cannot be rotated",
        "shared/api/keys.py::rotate",
        "key.revoked_at is not None",
        "False",
        STORED_KEYS,
    ),
    Mutant(
        "refusals count against a key's limit",
        "shared/api/keys.py::KeyRing._admit",
        "self._count(key)",
        "_ = scope in key.scopes and self._count(key)",
        KEYS,
    ),
    Mutant(
        "a key's bucket holds no more than a minute of requests",
        "shared/api/keys.py::Bucket.take",
        "min(float(per_minute), self.tokens + (at - self.at) * rate)",
        "self.tokens + (at - self.at) * rate",
        KEYS,
    ),
    Mutant(
        "what the console passes on ends with its key",
        "shared/api/keys.py::KeyRing._passed",
        "name == FIRST.id or _ID.fullmatch(name)",
        "False",
        KEYS,
    ),
    Mutant(
        "what the console passes on is signed",
        "shared/api/keys.py::KeyRing._passed",
        "not any(signed) or",
        "",
        KEYS,
    ),
    Mutant(
        "what the console passes on ends after a minute",
        "shared/api/keys.py::KeyRing._passed",
        "or int(expires) < now().timestamp()",
        "",
        KEYS,
    ),
    Mutant(
        "what the console passes on reads alone",
        "shared/api/keys.py::KeyRing._passed",
        "scope is not None and scope is not Scope.READ",
        "False",
        KEYS,
    ),
    Mutant(
        "what the console passes on does not say that it may do more",
        "shared/api/keys.py::KeyRing._passed",
        "{Scope.READ} & {*key.scopes}",
        "key.scopes",
        KEYS,
    ),
    Mutant(
        "without a key nobody learns which paths exist",
        "shared/api/serving.py::_answer",
        "check(request.headers.get(KEY_HEADER), None)",
        "None",
        "tests/integration/test_api_http.py",
    ),
    # Digests.
    Mutant(
        "a slot that another claimed is not taken to be one's own",
        "shared/digests/ticks.py::claim",
        "is_held(lease, moment)",
        "False",
        TICKS,
    ),
    Mutant(
        "whoever lost a digest's slot notes nothing",
        "shared/digests/ticks.py::finish",
        "or lease.holder != claim.holder",
        "",
        TICKS,
    ),
    Mutant(
        "a digest that never ends has failed",
        "shared/digests/ticks.py::claim",
        'stored["attempts"] >= settings().digest_attempts',
        "False",
        TICKS,
    ),
    Mutant(
        "of many senders one notifies",
        "shared/digests/notify/outbox.py::take",
        'fields["next_at"] > at',
        "False",
        OUTBOX,
    ),
    Mutant(
        "a sender that was overtaken records nothing",
        "shared/digests/notify/outbox.py::record",
        'stored == {"state": "pending", "attempts": taken.attempts}',
        "True",
        OUTBOX,
    ),
    Mutant(
        "a text that begins a formula is text",
        "shared/documents/export.py::harmless",
        "starts and not _NUMBER.fullmatch(cell)",
        "False",
        "tests/unit/test_export.py",
    ),
    Mutant(
        "a sheet ends where Excel's does",
        "shared/documents/export.py::_Book._append",
        "page.row >= MAX_ROWS",
        "False",
        "tests/unit/test_export.py",
    ),
    Mutant(
        "values of other units are not compared",
        "shared/digests/compute/datapoints.py::Values._figures",
        "figure.unit",
        "None",
        "tests/unit/test_digest_datapoints.py",
    ),
    Mutant(
        "targets and base years are no period's value",
        "shared/digests/compute/datapoints.py::Values._figures",
        '(figure.qualifier or "").startswith(_NOT_REPORTED)',
        "False",
        "tests/unit/test_digest_datapoints.py",
    ),
    Mutant(
        "an erased document takes its data points along",
        "shared/digests/store.py::without",
        "others(digest.datapoints.changes)",
        "digest.datapoints.changes",
        "tests/unit/test_digest_datapoints.py",
    ),
    Mutant(
        "a killed attempt counts",
        "shared/digests/notify/outbox.py::take",
        'fields["attempts"] >= MAX_ATTEMPTS',
        "False",
        OUTBOX,
    ),
)


def chosen(words: list[str]) -> list[Mutant]:
    """The mutants whose guard or place contains one of the words; without words all."""
    return [
        mutant
        for mutant in MUTANTS
        if not words or any(word in f"{mutant.guard} {mutant.place}" for word in words)
    ]


class Copy:
    """A copy of the tree, in which the tests run."""

    def __init__(self, folder: Path) -> None:
        """Copy what git knows or would add; what is built is shared."""
        self.folder = folder
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / "build").symlink_to(ROOT / "build")

    def test(self, tests: list[str]) -> tuple[int, str]:
        """Run tests until one fails; pytest's exit status, and what it said."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *OPTIONS, *tests]
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return FAILED, "the tests hung"
        return done.returncode, done.stdout + done.stderr

    def try_out(self, mutant: Mutant) -> tuple[int, str]:
        """Run the mutant's tests against it."""
        path = mutant.path(self.folder)
        before = path.read_text("utf-8")
        self._write(path, mutant.applied(self.folder))
        try:
            return self.test(mutant.tests.split())
        finally:
            self._write(path, before)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()  # it is told from the text by its second and size alone


def main(words: list[str]) -> int:
    """Try the chosen mutants; the exit status."""
    mutants = chosen(words)
    survived = 0
    with tempfile.TemporaryDirectory(prefix="headrace-mutants-") as folder:
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(COPIES):
            free.put(Copy(Path(folder) / str(number)))

        def judge(mutant: Mutant) -> bool:
            copy, started = free.get(), time.monotonic()
            try:
                status, said = copy.try_out(mutant)
            except LookupError as error:
                status, said = 0, str(error)
            finally:
                free.put(copy)
            killed = status == FAILED
            verdict = "killed" if killed else "SURVIVED" if status == 0 else f"NOT RUN ({status})"
            seconds = time.monotonic() - started
            print(f"{verdict:<12} {seconds:4.0f} s  {mutant.guard:<64} {mutant.place}", flush=True)
            if not killed:
                print("\n".join(said.splitlines()[-8:]), flush=True)
            return killed

        whole = free.get()
        status, said = whole.test(sorted({name for mutant in mutants for name in mutant.tests.split()}))
        free.put(whole)
        if status:
            print(f"The tests fail without any mutant:\n{said}")
            return 2
        with ThreadPoolExecutor(COPIES) as pool:
            survived = sum(not killed for killed in pool.map(judge, mutants))
    print(f"{len(mutants) - survived} of {len(mutants)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
