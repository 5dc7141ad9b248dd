"""The console, measured as its users meet it: `make bench-console`, which writes `docs/console-speed.md`.

Starts a stack of its own with a report, fills it up to 10,000 documents, gives the report passages up to
2,300, and asks for pages as a browser does. The report is `--report FILE`, or as in `benchmarks.pipeline`.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import requests

from benchmarks.pipeline import UNCONNECTED, completed, fresh_stack, processor, report_at_hand
from local.processes import free_ports
from local.services import HOST, ROOT
from local.stack import read_stack
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import Documents, document_id
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from shared.documents.model import Document

DOCUMENTS, PASSAGES_READ, PASSAGES_EXPORTED = 10_000, 2_300, 100_000
PAGE = ROOT / "docs" / "console-speed.md"
HEAD = """# How fast the console is

Written by `make bench-console`, over the local stack: all of it, the emulators included, runs on one machine
({machine}), whose load at the end was {load:.1f}:
with more than one a core, times are longer than the work is. Images are {width} pixels wide.
How many passages find their place on them: [page-images.md](page-images.md).

Of the packages numpy is 17 MB: comparing plans and choosing what a corrected document shows need it.
A process that just started spends most of its time on imports, some two seconds of a processor.

"""
WARM, IMAGES, COLD = 30, 20, 3
"""Times that each is measured."""
IMAGE_WIDTH = 1200
COMMIT = 400
TEXT = "The works cut its emissions by 12% in 2025 and will buy only renewable electricity from 2027."
EXPORT = """
import resource, sys
from pathlib import Path
from cli import results
from cli.connect import connect
from shared.documents.contents import blocks, content
connect(Path(sys.argv[1]), None)
with open(sys.argv[3], "wb") as file:
    for block in blocks([content(results.document(sys.argv[2]))], "csv", "passages"):
        file.write(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


class Row(NamedTuple):
    """A line of the table."""

    what: str
    found: str
    goal: str


def fill(report: Document) -> None:
    """Add documents like the report, with other names, organisations and years, up to `DOCUMENTS`."""
    client = firestore_client()
    collection = client.collection("documents")
    made = ((at, f"archive/{at:05}.pdf") for at in range(DOCUMENTS))
    _commit(
        (
            collection.document(document_id(report.bucket, name)),
            report.altered(
                id=document_id(report.bucket, name),
                name=name,
                organisation=f"Works {at % 400}",
                year=2015 + at % 10,
                title=f"Report {at}",
            ).model_dump(),
        )
        for at, name in made
    )


def multiply(report: Document, upto: int, *, bare: bool = False) -> None:
    """Give a document copies of its passages until it has so many; `bare` ones have no vector."""
    reference = Documents(firestore_client()).reference(report.id)
    own = [one.to_dict() or {} for one in reference.collection(PASSAGES).stream()]
    if bare:
        own = [{name: value for name, value in one.items() if name != "embedding"} for one in own]
    _commit(
        (
            reference.collection(PASSAGES).document(f"{report.published_run}-{index}"),
            own[index % len(own)] | {"index": index},
        )
        for index in range(len(own), upto)
    )
    reference.update({"passages": upto})


def _commit(records: Iterable[tuple[Any, dict[str, Any]]]) -> None:
    client = firestore_client()
    batch, waiting = client.batch(), 0
    for reference, fields in records:
        batch.set(reference, fields)
        waiting += 1
        if waiting == COMMIT:
            batch.commit()
            batch, waiting = client.batch(), 0
    batch.commit()


class Browser:
    """Signed in at the console of a stack."""

    def __init__(self, data: Path) -> None:
        """Use the address that signs in."""
        address = read_stack(data)["console"]
        self.base = address.partition("/sign-in")[0]
        self.session = requests.Session()
        self.session.headers.update({"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"})
        self.session.get(address, timeout=60).raise_for_status()

    def get(self, path: str, base: str | None = None) -> tuple[float, int, bytes]:
        """Return seconds, bytes transferred and content of a page."""
        started = time.perf_counter()
        response = self.session.get((base or self.base) + path, timeout=60, stream=True)
        raw = response.raw.read(decode_content=False)
        took = time.perf_counter() - started
        response.raise_for_status()
        if response.headers.get("Content-Encoding") == "gzip":
            return took, len(raw), gzip.decompress(raw)
        return took, len(raw), raw

    def weight(self, path: str) -> int:
        """Return the bytes of a page with its scripts and styles, as on a first visit."""
        _, size, content = self.get(path)
        assets = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', content.decode()))
        return size + sum(self.get(asset)[1] for asset in assets)


def times(ask: Callable[[], float], count: int) -> list[float]:
    """Ask so often; return what each took."""
    return [ask() for _ in range(count)]


def said(seconds: Sequence[float]) -> str:
    """Median, and the slowest of twenty."""
    slow = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > COLD else max(seconds)
    return f"{1000 * statistics.median(seconds):,.0f} ms (p95 {1000 * slow:,.0f})"


def cold(data: Path, browser: Browser, path: str) -> tuple[float, float]:
    """Seconds from the start of a console's process until the page is there, and those of a processor."""
    port = free_ports(1)
    command = [sys.executable, "-m", "local.function", "console", "--host", HOST, "--port", str(port)]
    command += [
        "--source",
        str(ROOT / "functions" / "console" / "main.py"),
        "--processes",
        "1",
        "--places",
        "4",
    ]
    environment = UNCONNECTED | read_stack(data)["environment"] | {"PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        while True:
            try:
                browser.get(path, f"http://{HOST}:{port}")
            except requests.ConnectionError:
                time.sleep(0.005)
            else:
                taken = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                cpu = sum(sum(each.cpu_times()[:2]) for each in taken)
                return time.perf_counter() - started, cpu
    finally:
        process.terminate()
        process.wait(30)


def analyze(data: Path) -> list[float]:
    """Seconds of requests to analyze one text."""
    port = next(each["port"] for each in read_stack(data)["processes"] if each["name"] == "api")
    address = f"http://{HOST}:{port}/v1/analyze"
    session = requests.Session()
    session.headers["X-API-Key"] = (data / "api-key").read_text().strip()

    def ask() -> float:
        started = time.perf_counter()
        session.post(address, json={"texts": [TEXT]}, timeout=60).raise_for_status()
        return time.perf_counter() - started

    times(ask, 5)
    return times(ask, 10 * WARM)


def exported(data: Path, document: str, folder: Path) -> int:
    """Return the MiB that a process had at most in which a document's passages were exported."""
    command = [sys.executable, "-c", EXPORT, str(data), document, str(folder / "passages.csv")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return int(done.stdout.split()[-1])


def package_set(name: str) -> tuple[int, int, int]:
    """Return how many packages a function's requirements come to, their bytes, and those compressed."""
    asked = [line for line in (ROOT / "requirements" / f"{name}.in").read_text().splitlines() if line]
    waiting, seen = [line.partition("#")[0].strip() for line in asked], set()
    size = compressed = 0
    while waiting:
        package = re.split(r"[^\w.-]", waiting.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if not package or package in seen:
            continue
        try:
            found = distribution(package)
        except PackageNotFoundError:  # for another platform
            continue
        seen.add(package)
        for path in (Path(str(found.locate_file(file))) for file in found.files or ()):
            if path.is_file() and path.suffix != ".pyc":
                content = path.read_bytes()
                size += len(content)
                compressed += len(zlib.compress(content))
        waiting += [each for each in found.requires or () if "extra ==" not in each]
    return len(seen), size, compressed


def measured(report: Path, folder: Path) -> Iterator[Row]:
    """Measure, and yield the rows."""
    with fresh_stack(folder) as (_, data):
        _, shown = completed(report, report.name)
        documents = Documents(firestore_client())
        own = documents.get(shown["id"])
        assert own is not None
        assert own.published_run is not None, own.error
        browser = Browser(data)
        yield from _images(browser, own)
        fill(own)
        multiply(own, PASSAGES_READ)
        page = f"/documents/{own.id}"
        started = [cold(data, browser, "/") for _ in range(COLD)]
        cpu = statistics.median(cpu for _, cpu in started)
        found = f"{said([took for took, _ in started])}; of a processor {cpu:.1f} s"
        yield Row(f"first page, {DOCUMENTS:,} documents, a process just started", found, "1 s")
        browser.get("/")
        yield Row("the same, warm", said(times(lambda: browser.get("/")[0], WARM)), "150 ms")
        yield Row(
            "the same, one organisation and year",
            said(times(lambda: browser.get("/?organisation=Works+7&year=2022")[0], WARM)),
            "150 ms",
        )
        what = f"a document of {PASSAGES_READ:,} passages: its page"
        yield Row(what, said(times(lambda: browser.get(page)[0], WARM)), "300 ms")
        yield Row("its reader", said(times(lambda: browser.get(f"{page}/read?page=9")[0], WARM)), "300 ms")
        yield Row("transferred, first visit: documents", f"{browser.weight('/') / 1000:,.0f} kB", "150 kB")
        yield Row("transferred, first visit: a document", f"{browser.weight(page) / 1000:,.0f} kB", "150 kB")
        yield Row("/v1/analyze, one text", said(analyze(data)), "12 ms")
        multiply(own, PASSAGES_EXPORTED, bare=True)
        peak = exported(data, own.id, folder)
        yield Row(f"export of {PASSAGES_EXPORTED:,} passages, resident at most", f"{peak} MiB", "256 MiB")
    count, size, compressed = package_set("console")
    found = f"{compressed / 1e6:.0f} MB ({size / 1e6:.0f} MB installed)"
    yield Row(f"the console's {count} packages, compressed", found, "40 MB")


def _images(browser: Browser, own: Document) -> Iterator[Row]:
    last = min(own.pages or 0, IMAGES)
    addresses = [
        f"/documents/{own.id}/{own.published_run}/pages/{page}?width={IMAGE_WIDTH}"
        for page in range(1, last + 1)
    ]
    places = [f"/documents/{own.id}/places?page={page}" for page in range(1, last + 1)]
    browser.get(f"{addresses[0][: -len(str(IMAGE_WIDTH))]}240")  # starts the process that draws
    for what, paths, goal in (("image", addresses, "400 ms"), ("boxes of passages", places, "400 ms")):
        first = [browser.get(path) for path in paths]
        again = [browser.get(path)[0] for path in paths]
        yield Row(f"page {what}, first time", said([took for took, _, _ in first]), goal)
        yield Row(f"page {what}, kept", said(again), "50 ms")
        size = statistics.median(size for _, size, _ in first)
        yield Row(f"page {what}, transferred", f"{size / 1000:,.0f} kB", "")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = options.report or report_at_hand(Path(folder))
        lines = ["| what | median | goal |", "| --- | ---: | ---: |"]
        for row in measured(report, Path(folder)):
            print(f"{row.what}: {row.found}", flush=True)
            lines.append(f"| {row.what} | {row.found} | {row.goal} |")
    machine = f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}"
    text = HEAD.format(machine=machine, load=os.getloadavg()[0], width=IMAGE_WIDTH)
    PAGE.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
