"""Memory of a document near the limit of characters: in the process that reads it, and in its caller."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
CHARACTERS = 19_500_000
_SENTENCES = (
    "The mill on the river has burnt bark instead of natural gas since the spring of this year. ",
    "Every second supplier was visited, and 31 of them were asked to mend what we found. ",
    "Water that leaves the plant is cleaned twice, and measured by the town itself. ",
    "Nobody was hurt at work, though two people stumbled over the same step in the yard. ",
)
_EVERY_MS = 5


class Peaks(NamedTuple):
    """Megabytes that were resident at most; `together` at one moment."""

    reader: int
    caller: int
    together: int
    passages: int


def write(path: Path, characters: int = CHARACTERS) -> None:
    """A document of the format that its suffix names, and of so many characters or a few less.

    Its name may say `wide`: then every paragraph holds a character that takes Python four bytes for each.
    """
    width = 200 if path.suffix in {".csv", ".jsonl"} else 400
    body = _paragraphs(characters, width, " \U0001f600" if "wide" in path.name else "")
    writers: dict[str, Callable[[], None]] = {
        ".txt": lambda: _lines(path, (f"{text}\n" for text in body)),
        ".csv": lambda: _lines(path, (f'{at},"{text}"' for at, text in enumerate(body)), "id,text"),
        ".jsonl": lambda: _lines(path, (json.dumps({"text": text}, ensure_ascii=False) for text in body)),
        ".html": lambda: _lines(path, (f"<p>{text}</p>" for text in body), "<html><body>"),
        ".docx": lambda: _docx(path, body),
    }
    writers[path.suffix]()


def measure(path: Path) -> Peaks:
    """Of the file, read and cut in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.ingest.memory", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    return Peaks(*json.loads(done.stdout))


def _paragraphs(characters: int, width: int, end: str) -> Iterator[str]:
    sentences = itertools.cycle(_SENTENCES)
    for _ in range(characters // (width + 20)):
        text = next(sentences)
        while len(text) < width:
            text += next(sentences)
        yield text[: width - len(end)].strip() + end


def _lines(path: Path, lines: Iterator[str], first: str = "") -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{first}\n" if first else "")
        file.writelines(f"{line}\n" for line in lines)


def _docx(path: Path, paragraphs: Iterator[str]) -> None:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="word/document.xml"/></Relationships>',
        )
        with package.open("word/document.xml", "w") as part:
            part.write(f'<w:document xmlns:w="{word}"><w:body>'.encode())
            for text in paragraphs:
                part.write(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>".encode())
            part.write(b"</w:body></w:document>")


class _Watch(threading.Thread):
    """Looks at this process and those it has started, every few milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.reader = self.together = 0
        self.done = threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        while not self.done.wait(_EVERY_MS / 1000):
            together = own.memory_info().rss
            for process in own.children(recursive=True):
                try:
                    size = process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                if process.ppid() != own.pid:  # the one that readers are forked from is not one itself
                    together += size
                    self.reader = max(self.reader, size)
            self.together = max(self.together, together)


def _read(path: Path) -> Peaks:
    """Here, with the tokenizer of the model."""
    from shared.intake.read import prepare, read_file
    from shared.platform.settings import Settings

    settings = Settings.from_environment(
        {"GOOGLE_CLOUD_PROJECT": "bench", "HEADRACE_EXTRACT_SECONDS": "600"}  # on a busy machine, too
    )
    tokenizer = ROOT / settings.model_dir / "tokenizer.json"
    prepare(tokenizer)
    watch = _Watch()
    watch.start()
    reading = read_file(
        path,
        name=path.name,
        content_type=None,
        metadata={},
        tokenizer=tokenizer,
        redaction_key=b"bench",
        settings=settings,
    )
    watch.done.set()
    watch.join()
    status = Path("/proc/self/status").read_text()
    caller = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    reader, caller, together = (size // 1_000_000 for size in (watch.reader, caller, watch.together))
    return Peaks(reader, caller, together, len(reading.passages))


def main() -> None:
    """With a file, its peaks as JSON; without, a table."""
    if len(sys.argv) > 1:
        print(json.dumps(_read(Path(sys.argv[1]))))
        return
    print(f"{CHARACTERS:,} characters: MB resident at most\n")
    print("| format | reads it | caller | both | passages |\n| --- | ---: | ---: | ---: | ---: |")
    for name in ("a.txt", "wide.txt", "a.csv", "wide.csv", "a.jsonl", "a.html", "a.docx"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            write(path)
            print("|", *(f"{part} |" for part in (name, *measure(path))))


if __name__ == "__main__":
    main()
