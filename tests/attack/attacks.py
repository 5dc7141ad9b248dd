"""The attacks, each a function of a running stack that returns a row of the table.

Add one by writing such a function and naming it in `ON_FRAGILE` or `ON_PATIENT`. What must hold whatever was
attacked is not looked at here but by `tests.attack.invariants`, after each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import psutil

from shared.api.description import DESCRIBED
from shared.documents.store import document_id
from tests.attack import files, forgeries
from tests.attack.arena import MIB, TASK, Arena, Outcome, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

SEED = 14
FRAGILE = {
    "HEADRACE_INGEST_TIMEOUT": "4",
    "HEADRACE_SWEEP_GRACE": "1",
    "HEADRACE_SWEEP_PATIENCE": "5",
    "HEADRACE_SWEEP_ATTEMPTS": "50",
    "HEADRACE_BATCH_PASSAGES": "8",
}
"""Short leases and small batches, for what kills and holds up."""
EXTRACT_SECONDS, JOB_SECONDS = 6.0, 12.0
PATIENT = {
    "HEADRACE_EXTRACT_SECONDS": str(EXTRACT_SECONDS),
    "HEADRACE_JOB_EXTRACT_SECONDS": str(JOB_SECONDS),
    "HEADRACE_INGEST_TIMEOUT": "60",
}
"""Short limits for what is slow."""
WAVE = 8
"""Hostile files at once."""
SLACK = 20.0
"""Seconds beyond the limits of a wave's files, and of two for an innocent one."""
PROCESS_MIB = 700
"""Memory that a function's process may take; a reader has 384 MiB of address space of its own."""


def kill_anything(arena: Arena) -> Outcome:
    """Kill processes of every kind, the supervisor once, while files come, change and are erased."""
    random, kills, restarted = Random(SEED), 0, 0.0
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        steps = pool.submit(_changes, arena, over)
        for number in range(60):
            time.sleep(random.uniform(0.1, 0.5))
            if number == 40:
                kills, restarted = kills + 1, _kill_supervisor(arena)
                continue
            victims = _victims(arena)
            if victims:
                kills += _kill(random.choice(victims), group=random.random() < 0.5)
        over.set()
        uploads = steps.result()
    note = (
        f"{uploads} uploads, overwritings, erasures; up again {restarted:.0f} s after the supervisor's death"
    )
    return Outcome("kill -9 of any process, storage and supervisor too", kills, [], note)


def _changes(arena: Arena, over: threading.Event) -> int:
    """Upload, overwrite and erase until it is over; how many steps."""
    random, steps = Random(SEED + 1), 0
    while not over.is_set() or steps < 40:
        number = random.randrange(30)
        content = plain(1000 + steps, random.choice((1, 5, 30)))
        if arena.upload(f"kill-{number}.txt", content) is not None:
            steps += 1
        if steps % 9 == 8:
            steps += 1
            with suppress(subprocess.TimeoutExpired):
                identifier = document_id("headrace-local-uploads", f"kill-{random.randrange(30)}.txt")
                arena.stack.command("erase", identifier, "--with-file", "--yes", timeout=30)
    return steps


def _victims(arena: Arena) -> list[psutil.Process]:
    with suppress(psutil.Error, OSError):
        return arena.processes()
    return []


def _kill(process: psutil.Process, *, group: bool) -> int:
    try:
        if group:
            os.killpg(os.getpgid(process.pid), signal.SIGKILL)
        else:
            process.kill()
    except (psutil.Error, OSError):
        return 0
    return 1


def _kill_supervisor(arena: Arena) -> float:
    """Kill it, and start a stack on the same data; seconds until that was ready."""
    assert arena.stack.process is not None
    arena.stack.process.kill()
    arena.stack.process.wait()
    started = time.monotonic()
    while True:
        try:
            arena.stack.up()
        except AssertionError:
            if time.monotonic() - started > 120:
                raise
            time.sleep(1)
        else:
            return time.monotonic() - started


def all_at_once(arena: Arena) -> Outcome:
    """Stop the functions and then Pub/Sub; what was uploaded comes at once, shuffled, five times."""
    names = {f"held-{number}.txt": plain(2000 + number, 20) for number in range(25)}
    random, messages = Random(SEED), 0
    with arena.stopped("ingest", "analyze"):
        generations = {name: arena.upload(name, content) or 0 for name, content in names.items()}
        notices = [forgeries.notification(name, at) for name, at in generations.items()] * 4
        random.shuffle(notices)
        forgeries.publish("uploads", notices)
        messages = len(names) + len(notices)
        time.sleep(5)
    with arena.stopped("pubsub"):
        time.sleep(5)
    open_ = arena.wait(generations, 90)
    return Outcome(
        "deliveries held back, then all at once, five times each",
        messages,
        [f"{name} is open" for name in open_],
    )


def hot_document(arena: Arena) -> Outcome:
    """Two hundred batches of one document are there at once."""
    name = "hot.txt"
    at = arena.upload(name, plain(3000, 1_600)) or 0
    open_ = arena.wait({name: at}, 90)
    return Outcome("two hundred batches of one document", 200, [f"{one} is open" for one in open_])


def hostile_files(arena: Arena) -> Outcome:
    """Upload what tries to cost a reader time, memory or its life; innocent files go along."""
    samples = files.tricky()
    every = {f"hostile/{name}": data for name, data in (files.hostile(SEED) | samples).items()}
    wrong: list[str] = []
    waits = []
    names = list(every)
    for wave in range(0, len(names), WAVE):
        hostile = {name: arena.upload(name, every[name]) or 0 for name in names[wave : wave + WAVE]}
        innocent = f"innocent-{wave}.txt"
        started = time.monotonic()
        open_ = arena.wait(
            {innocent: arena.upload(innocent, plain(4000 + wave)) or 0}, 2 * EXTRACT_SECONDS + SLACK
        )
        waits.append(time.monotonic() - started)
        wrong += [f"an innocent file waits beside {', '.join(map(repr, hostile))[:200]}"] if open_ else []
        open_ = arena.wait(hostile, WAVE * EXTRACT_SECONDS + JOB_SECONDS + SLACK)
        wrong += [f"{name} has not ended" for name in open_]
    peak = {name: round(size / MIB) for name, size in arena.peaks.items()}
    wrong += [f"{name} took {size} MiB" for name, size in peak.items() if name != TASK and size > PROCESS_MIB]
    note = (
        f"{_told(_ends(arena, every))}; an innocent file beside them "
        f"{statistics.median(waits):.0f} s, {max(waits):.0f} s at most; most memory of a process: "
        f"ingest {peak.get('ingest', 0)} MiB, analyze {peak.get('analyze', 0)} MiB, "
        f"the job {peak.get(TASK, 0)} MiB"
    ) + ("" if samples else "; the samples are not here")
    return Outcome("hostile files, the tricky samples among them", len(every), wrong, note)


def _ends(arena: Arena, names: Collection[str]) -> Counter[str]:
    """How many documents ended in which way."""
    records = arena.records()
    return Counter(
        (record["error"] or {}).get("code") or record["state"]
        for name in names
        if (record := records.get(name))
    )


def _told(ends: Counter[str]) -> str:
    return ", ".join(f"{count} {end}" for end, count in ends.most_common())


def odd_names(arena: Arena) -> Outcome:
    """Names with controls, marks that turn the writing round, paths; what every command prints has none."""
    taken = {
        name: at
        for name in files.odd_names()
        if (at := arena.upload(name, f"{files.SAID} {name!r}".encode()))
    }
    wrong = [f"{name!r} has not ended" for name in arena.wait(taken, 60)]
    for command in (["show"], ["doctor"], ["search", "emissions"]):
        said = arena.stack.command(*command)
        if any(mark in said.stdout + said.stderr for mark in ("\x1b[2J", "\x07", "\u202e", "line\nfeed")):
            wrong.append(f"headrace {command[0]} prints a control character of a name")
    return Outcome("odd names", len(files.odd_names()), wrong, f"{len(taken)} accepted by Cloud Storage")


def full_records(arena: Arena) -> Outcome:
    """Sound files that fill a record of Firestore's or a commit as far as they can."""
    sent, tries = {}, 0
    for name, content, metadata in files.large():
        tries += 1
        if at := arena.upload(f"large/{name}", content, **metadata):
            sent[f"large/{name}"] = at
    wrong = [f"{name} has not ended" for name in arena.wait(sent, 90)]
    ends = _ends(arena, sent)
    return Outcome("sound files that fill a record or a commit", tries, wrong, _told(ends))


def personal_data(arena: Arena) -> Outcome:
    """Personal data in every place that a format has; looked for in all that is stored and logged."""
    sent = {name: arena.upload(name, data, **more) or 0 for name, data, more in files.personal()}
    sent["personal.zip!/inner.txt"] = 0
    arena.wait({name: at for name, at in sent.items() if at}, 60)
    arena.settle()
    needles = {kind: value.encode() for kind, value in files.PERSONAL.items()}
    wrong = []
    for path in _stored(arena.stack.data):
        held = path.read_bytes()
        found = [kind for kind, needle in needles.items() if needle in held]
        wrong += [f"{path.relative_to(arena.stack.data)} holds {', '.join(found)}"] if found else []
    return Outcome("personal data, looked for in all that is stored", len(sent) * len(needles), wrong)


def _stored(data: Path) -> Iterator[Path]:
    """Every file below the data directory but the uploads."""
    for path in data.rglob("*"):
        if path.is_file() and "headrace-local-uploads" not in path.relative_to(data).as_posix():
            yield path


def api_requests(arena: Arena) -> Outcome:
    """Requests that schemathesis invents, and others by hand, with and without a key."""
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    key = (arena.stack.data / "api-key").read_text().strip()
    url = f"http://127.0.0.1:{arena.port('api')}"
    command = [
        *(
            program,
            "run",
            f"{url}/openapi.json",
            "--checks",
            "all",
            "--header",
            f"X-API-Key: {key}",
            "--no-color",
        ),
        *(
            "--max-examples",
            "5",
            "--seed",
            str(SEED),
            "--continue-on-failure",
            "--generation-database",
            "none",
        ),
    ]
    done = subprocess.run(
        command, cwd=arena.stack.data, capture_output=True, text=True, timeout=400, check=False
    )
    wrong = (
        [] if done.returncode == 0 else [line for line in done.stdout.splitlines() if line.startswith("- ")]
    )
    tries = sum(int(line.split()[0]) for line in done.stdout.splitlines() if " generated, " in line)
    by_hand, failures = forgeries.calls(arena.port("api"), key, Random(SEED), list(arena.records()))
    wrong += failures
    if done.returncode and not wrong:
        wrong = [done.stdout[-500:]]
    return Outcome("API calls", tries + by_hand, wrong)


def keys_that_open_nothing(arena: Arena) -> Outcome:
    """Ask every endpoint with keys that are guessed, altered, revoked, expired, or for other scopes."""
    from shared.api import keys
    from shared.platform.clients import firestore_client

    client, tries, wrong = firestore_client(), 0, []
    made = {
        "whole": keys.make(client, "attack whole", tuple(keys.Scope)),
        "revoked": keys.make(client, "attack revoked", tuple(keys.Scope)),
        "expired": keys.make(client, "attack expired", tuple(keys.Scope), expires=-timedelta(seconds=1)),
    }
    keys.revoke(client, made["revoked"][0].id)
    whole = made["whole"][1]
    for endpoint in DESCRIBED:
        others = tuple(scope for scope in keys.Scope if scope != endpoint.scope)
        made[endpoint.name] = keys.make(client, f"attack without {endpoint.name}", others)
        refused: dict[int, list[str | None]] = {
            401: [
                *(
                    None,
                    "",
                    whole[:-1],
                    whole + "x",
                    whole.upper(),
                    whole.replace("_", "/"),
                    keys.key_hash(whole),
                ),
                *("headrace_" + "0" * 12 + whole[-44:], made["revoked"][1], made["expired"][1]),
            ],
            403: [made[endpoint.name][1]],
        }
        path = re.sub(r"{\w+}", "0" * 24, endpoint.path)
        for status, every in refused.items():
            for key in every:
                tries += 1
                headers = {} if key is None else {"X-API-Key": key}
                answer, _, content = forgeries.call(arena.port("api"), endpoint.method, path, None, headers)
                if answer != status:
                    wrong.append(f"{answer} instead of {status} to {endpoint.name} with {key!r:.20}")
                if key and len(key) > 20 and key.encode() in content:
                    wrong.append(f"a key is told by {endpoint.name}")
    secrets = [secret.encode() for _, secret in made.values()]
    stored = [path for path in arena.stack.data.rglob("*") if path.is_file()]
    holding = [path for path in stored if any(secret in path.read_bytes() for secret in secrets)]
    wrong += [f"{path.name} holds a key" for path in holding]
    return Outcome("keys that open nothing, at every endpoint", tries, wrong)


def forged_messages(arena: Arena) -> Outcome:
    """Publish and push messages that were never ours, and ours again, while documents are analyzed."""
    random = Random(SEED)
    done = {f"victim-{number}.txt": plain(5000 + number, 70) for number in range(4)}
    with forgeries.overheard("uploads", "batches") as heard:
        generations = {name: arena.upload(name, content) or 0 for name, content in done.items()}
        wrong = [f"{name} is open" for name in arena.wait(generations, 60)]
        captured = {topic: pull() for topic, pull in heard.items()}
    before = _essence(arena, list(generations))
    with arena.stopped("analyze"):
        name = "victim-at-work.txt"
        generations[name] = at = arena.upload(name, plain(5100, 300)) or 0
        _until(lambda: arena.records().get(name, {}).get("state") == "analyzing")
        open_record = arena.records()[name]
        batches = list(forgeries.batches([json.loads(data) for data, _ in captured["batches"]], open_record))
        forgeries.publish("batches", batches)
        uploads = list(forgeries.uploads(list(generations.items())))
        forgeries.publish("uploads", uploads)
        forgeries.publish("ticks", [*batches, *uploads])
        # Not a batch: who may publish there says that it was given up, and its document fails.
        forgeries.publish("dead-letters", forgeries.rubbish())
    replays = [(topic, message) for topic, kept in captured.items() for message in kept * 20]
    random.shuffle(replays)
    for topic, message in replays:
        forgeries.publish(topic, [message])
    ports = {service: arena.port(service) for service in ("ingest", "analyze", "sweep", "digest")}
    pushed, failures = forgeries.pushes(ports, [*batches, *uploads])
    wrong += failures + [f"{one} is open" for one in arena.wait({name: at}, 60)]
    after = _essence(arena, list(before))
    wrong += [f"{one} was changed" for one in before if before[one] != after.get(one)]
    tries = 2 * (len(batches) + len(uploads)) + len(forgeries.rubbish()) + len(replays) + pushed
    return Outcome("forged messages, and real ones twenty times in any order", tries, wrong)


def _essence(arena: Arena, names: list[str]) -> dict[str, Any]:
    kept = (
        "generation",
        "run",
        "published_run",
        "state",
        "sha256",
        "passages",
        "sentiment",
        "topics",
        "summary",
    )
    records = arena.records()
    return {name: {field: records[name][field] for field in kept} for name in names if name in records}


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def firestore_limits(_: Arena) -> Outcome:
    """Ask the local Firestore for what the real one refuses."""
    tries, taken = forgeries.beyond_firestore()
    return Outcome(
        "writes that Firestore refuses", tries, [f"the local Firestore takes {one}" for one in taken]
    )


ON_FRAGILE = (kill_anything, all_at_once, hot_document)
ON_PATIENT = (
    api_requests, keys_that_open_nothing, firestore_limits, personal_data, odd_names, full_records,
    hostile_files, forged_messages,
)  # fmt: skip
