"""`make bench-model`: measure, print the table, and write it with its plots into `docs/`.

Everything that is compared takes turns on the same texts; ratios are of medians. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.model import capacity, memory, order, plots, report, rows, service, startup, throughput
from benchmarks.model.contestant import ROOT, Paths
from benchmarks.model.texts import gather
from benchmarks.model.variants import write_variants
from shared.inference.manifest import TOKENIZER_FILE, read_manifest
from shared.inference.runtime import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BATCH_SIZES, MEMORY = "performance-batch-size.svg", "performance-memory.svg"
PLOTS = {BATCH_SIZES: "Texts a second against batch size", MEMORY: "Resident memory over time"}
"""File names in `docs/images`, and what stands in their place where they are not shown."""
PEERS = ("fastembed", "sentence-transformers", "transformers", "torch", "onnxruntime", "gunicorn")


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "model")
    parser.add_argument("--weights", type=Path, default=ROOT / "build" / "weights")
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "bench-env")
    parser.add_argument("--print-only", action="store_true", help="leave docs/ as it is")
    options = parser.parse_args()
    shipped = options.model.resolve()
    materials = ROOT / "build" / "bench-model"
    python = options.peers.absolute() / "bin" / "python"
    prepare = [python, "-m", "benchmarks.model.prepare", options.weights.resolve(), materials]
    subprocess.run(prepare, cwd=ROOT, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        texts, source = gather(shipped / TOKENIZER_FILE)
        paths = Paths(python, materials, Path(folder) / "texts.json")
        paths.texts.write_text(json.dumps(texts), "utf-8")
        figures, images = measure(paths, shipped, options.weights)
    about = _about(shipped, python, len(texts), source)
    print(f"{about}\n\n{figures}")
    if options.print_only:
        return
    for name, image in images.items():
        (IMAGES / name).write_text(image, "utf-8")
    shown = [f"![{what}](images/{name})" for name, what in PLOTS.items()]
    report.insert(PAGE, "\n\n".join([about, figures, *shown]))


def measure(paths: Paths, shipped: Path, weights: Path) -> tuple[str, dict[str, str]]:
    """The table, and the plots by file name; says each line of the table as soon as it is known."""
    began = time.monotonic()
    lines: list[report.Row] = []

    def step(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    def add(measured: Iterable[report.Row]) -> None:
        for line in measured:
            lines.append(line)
            print("          " + " | ".join(filter(None, line.cells)), flush=True)

    step("build the model in its other forms")
    directories = write_variants(shipped, weights.resolve(), paths.materials / "ours")
    step("look for the peers' best settings")
    found = throughput.search(paths, directories)
    step("texts a second, in turns")
    add(rows.throughput_rows(throughput.compare(paths, directories, found.best), found))
    step("share of the cores' eight-bit peak")
    add(rows.capacity_rows(capacity.measure(paths, shipped)))
    step("memory")
    count = len(json.loads(paths.texts.read_text("utf-8")))
    peaks = [memory.peak_of_all_texts(directories[name], paths, count) for name in ("int8", "fp32")]
    add(rows.memory_rows(*peaks))
    traces = memory.traces(paths, directories, found.best["fastembed"])
    step("process start to first answer")
    add(rows.startup_rows(startup.measure(paths, shipped)))
    step("HTTP, beside the book's app")
    add(rows.service_rows(service.measure(paths, shipped)))
    step("orders of input")
    add(rows.order_rows(order.measure(paths, shipped)))
    step("done")
    return report.table(lines), {
        BATCH_SIZES: _batch_sizes(found.curves),
        MEMORY: _memory(traces),
    }


def _batch_sizes(curves: Sequence[throughput.Curve]) -> str:
    lines = [plots.Line(curve.name, sorted(curve.rates.items())) for curve in curves]
    title = "Texts a second against texts given at once"
    return plots.plot(title, "texts in a batch (ours: in a call)", "texts a second", lines, (4, 10))


def _memory(traces: Sequence[memory.Trace]) -> str:
    lines = [
        plots.Line(
            trace.name, [(max(seconds, 0.1), max(mib, 10)) for seconds, mib in trace.points if mib > 1]
        )
        for trace in traces
    ]
    title = f"Resident memory: start, load, {memory.TRACED_TEXTS} passages"
    return plots.plot(title, "seconds since the start of the process", "MiB", lines, (10, 10))


def _about(shipped: Path, python: Path, count: int, source: str) -> str:
    manifest = read_manifest(shipped)
    code = (
        "import importlib.metadata as m, sys; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    )
    peers = subprocess.run([python, "-c", code, *PEERS], check=True, capture_output=True, text=True).stdout
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {len(os.sched_getaffinity(0))} cores of {_processor()}, "
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}. "
        f"Model `{manifest.digest[:12]}`. Texts: {count:,} {source}. Peers: {peers.strip()}."
    )


def _processor() -> str:
    fields = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line
    )
    cleaned = {name.strip(): value.strip() for name, value in fields.items()}
    isa = [flag for flag in ("avx2", "avx512_vnni", "amx_int8") if flag in cleaned.get("flags", "").split()]
    return f"{cleaned.get('model name', platform.processor())} ({', '.join(isa)})"


if __name__ == "__main__":
    main()
