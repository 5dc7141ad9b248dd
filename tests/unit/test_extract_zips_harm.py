"""ZIPs that mean harm: bombs, entries that overlap or lie, damage."""

from __future__ import annotations

import io
import random
import struct
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from shared.extract.shapes import Limits
from shared.extract.zips import SafeZip
from shared.platform.errors import Rejected
from tests.unit.peaks import TIMES, stays_below
from tests.unit.zip_files import MEGABYTE, PROSE, encrypted_by_hand, entries, pack, read_all, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.zip"


def test_too_many_members_are_refused_before_they_are_parsed(file: Path) -> None:
    """An entry takes ten times its bytes once it is an object, so the limit holds before there is any."""
    at_limit = pack({f"{number}": b"" for number in range(50)})
    file.write_bytes(at_limit)
    assert len(read_all(file, Limits(members=50))) == 50
    assert refusal(file, at_limit, Limits(members=49)) == "too_many_members"
    end = len(at_limit) - 22
    lying = at_limit[: end + 8] + struct.pack("<HH", 1, 1) + at_limit[end + 12 :]
    assert refusal(file, lying, Limits(members=49)) == "too_many_members"
    many = pack({f"{number}": b"" for number in range(60_000)})
    file.write_bytes(many)

    def refused() -> None:
        assert refusal(file, many, Limits(members=100)) == "too_many_members"

    assert stays_below(2.5 * len(many), refused)


def test_a_long_name_is_left_out_before_it_is_looked_at(file: Path) -> None:
    """The composed form of 16,000 marks in the wrong order takes a second to find, for every such name."""
    marks = "\u0301\u0316" * 16_000
    file.write_bytes(pack({"a.txt": PROSE, **{f"{number}{marks}.txt": PROSE for number in range(8)}}))
    started = time.process_time()
    with SafeZip(file, Limits()) as archive:
        assert archive.names == ["a.txt"]
        (warning,) = archive.warnings
    assert warning == "files of the archive that have names longer than 1,024 bytes: 8, left out"
    assert time.process_time() - started < 1


def test_a_list_of_members_has_a_limit_of_bytes(file: Path) -> None:
    """Each of the fields of an entry is parsed, and sixteen thousand fit into one."""
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}.txt", b"")
        for info in archive.infolist():
            info.extra = b"\xff\xff\0\0" * 16_000  # in the list, not in the entry
    assert refusal(file, file.read_bytes()) == "too_many_members"


def test_a_flat_bomb_is_refused_after_little_work(file: Path) -> None:
    """300 MB of zeros in 300 kB: refused once more came out than 200 times what went in."""
    bomb = pack({"bomb.txt": bytes(300 * MEGABYTE)})

    def refused() -> None:
        assert refusal(file, bomb) == "inflates_too_much"

    started = time.process_time()
    assert stays_below(130 * MEGABYTE, refused)
    assert time.process_time() - started < 5 * TIMES


def test_a_streamed_bomb_costs_no_memory(file: Path) -> None:
    """Whoever reads in steps holds a step, however much comes out before the limit is reached."""
    file.write_bytes(pack({"bomb.txt": bytes(300 * MEGABYTE)}))

    def refused() -> None:
        with SafeZip(file, Limits()) as archive, archive.open("bomb.txt") as stream:
            steps = iter(lambda: len(stream.read(MEGABYTE // 8)), 0)
            with pytest.raises(Rejected) as caught:
                sum(steps)
        assert caught.value.code == "inflates_too_much"

    assert stays_below(2 * MEGABYTE, refused)


def test_inflated_bytes_are_counted_over_all_members(file: Path) -> None:
    """Each of ten members is within the limit, the ten together are not."""
    noise = random.Random(1).randbytes(MEGABYTE // 2)
    data = pack({f"{number}.bin": noise for number in range(10)})
    assert refusal(file, data, Limits(inflated_bytes=4 * MEGABYTE)) == "inflates_too_much"
    file.write_bytes(data)
    assert len(read_all(file, Limits(inflated_bytes=5 * MEGABYTE))) == 10


def test_the_first_megabyte_may_be_of_any_ratio(file: Path) -> None:
    """A megabyte of spaces is no bomb; and a bomb is one however much padding is packed beside it."""
    file.write_bytes(pack({"form.txt": b" " * MEGABYTE}))
    assert len(read_all(file)["form.txt"]) == MEGABYTE
    padding = random.Random(2).randbytes(3 * MEGABYTE)
    padded = pack({"bomb.txt": bytes(40 * MEGABYTE), "padding.bin": padding})
    assert refusal(file, padded) == "inflates_too_much"


def test_a_member_is_never_opened_as_an_archive(file: Path) -> None:
    """A ZIP in a ZIP is a member like any other; what is in it is the caller's question."""
    inner = pack({"inner.txt": PROSE})
    file.write_bytes(pack({"inner.zip": inner}))
    assert read_all(file) == {"inner.zip": inner}


def test_entries_that_share_their_bytes_are_refused(file: Path) -> None:
    """A thousand names for one deflated stream: the bomb that needs no nesting."""
    data = pack({"a": bytes(MEGABYTE), "b": b"", "c": b""})
    first, *others = entries(data)
    for at in others:
        data = data[: at + 42] + data[first + 42 : first + 46] + data[at + 46 :]
    assert refusal(file, data) == "unsafe_archive"


def test_a_header_quoted_by_the_stream_before_it_is_refused(file: Path) -> None:
    """Overlap in the better-known bomb: each stream runs over the next entry's header."""
    inner = pack({"b": PROSE})
    local = inner[: inner.index(b"PK\x01\x02")]
    data = pack({"a": local}, zipfile.ZIP_STORED)
    at = entries(data)[0]
    entry = bytearray(inner[entries(inner)[0] :][: 46 + 1])
    entry[42:46] = struct.pack("<I", data.index(local))
    directory = data[at : len(data) - 22] + bytes(entry)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), at, 0)
    with zipfile.ZipFile(io.BytesIO(data[:at] + directory + end)) as archive:
        assert archive.read("b") == PROSE  # what others read without a word
    assert refusal(file, data[:at] + directory + end) == "unsafe_archive"


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (30, b"Z"),  # the name
        (8, b"\0\0"),  # the method
        (14, b"\1\2\3\4"),  # the checksum
        (18, b"\1\0\0\0"),  # the packed size
        (22, b"\1\0\0\0"),  # the size
        (6, b"\1\0"),  # whether it is encrypted
    ],
)
def test_a_local_header_that_disagrees_with_the_directory_is_refused(
    file: Path, offset: int, value: bytes
) -> None:
    """Where two programs would read two things, neither is believed."""
    data = pack({"a.txt": PROSE})
    assert refusal(file, data[:offset] + value + data[offset + len(value) :]) == "unsafe_archive"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_inflate_without_bound_are_refused(file: Path, method: int) -> None:
    """Four kilobytes of bzip2 may be gigabytes, and zipfile unpacks them in one step."""
    assert refusal(file, pack({"a.txt": PROSE}, method)) == "unreadable_archive"


def test_a_size_that_lies_is_found_out(file: Path) -> None:
    """A directory that states less than comes out would hide a bomb from whoever adds up sizes."""
    data = pack({"a.txt": PROSE})
    for at in (22, entries(data)[0] + 24):
        data = data[:at] + struct.pack("<I", 10) + data[at + 4 :]
    assert refusal(file, data) == "unreadable_archive"


def mangled(data: bytes) -> list[bytes]:
    dice = random.Random(5)
    results = [data[:size] for size in range(0, len(data), 7)]
    for _ in range(1_500):
        bad = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(bad))
            match dice.randrange(3):
                case 0:
                    bad[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
                case 1:
                    del bad[at : at + dice.randint(1, 30)]
                case _:
                    bad[at:at] = dice.randbytes(dice.randint(1, 8))
        results.append(bytes(bad))
    return results


@pytest.mark.parametrize(
    "make", [lambda: pack({"a.txt": PROSE, "b/ü.txt": PROSE}), lambda: encrypted_by_hand(b"")]
)
def test_damaged_archives_end_in_a_refusal_or_a_result(file: Path, make: Callable[[], bytes]) -> None:
    """Cut off at any length or with bytes changed: no other exception ever leaves."""
    data = make()
    outcomes = set()
    for bad in mangled(data):
        file.write_bytes(bad)
        try:
            read_all(file, password="x")
        except Rejected as refused:
            outcomes.add(refused.code)
        else:
            outcomes.add("read")
    assert {"unreadable_archive", "unsafe_archive"} <= outcomes
    assert outcomes <= {"read", "unreadable_archive", "unsafe_archive", "encrypted", "inflates_too_much"}


def test_a_file_that_is_no_archive_is_damaged(file: Path) -> None:
    """Whatever it is, it cannot be opened."""
    for data in (b"PK\x03\x04", b"PK\x05\x06", b"x" * 100, b"PK\x05\x06" + bytes(17)):
        assert refusal(file, data) == "unreadable_archive"
