"""ZIPs: what honest programs write is read, what means harm or is damaged ends in a refusal."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from shared.errors import Rejected
from shared.extract.shapes import Limits
from shared.extract.zips import SafeZip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROSE = b"The mill took less water from the river than in any year before. " * 40
MEGABYTE = 1024 * 1024


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def read_all(path: Path, limits: Limits | None = None, password: str | None = None) -> dict[str, bytes]:
    with SafeZip(path, limits or Limits(), password) as archive:
        return {name: archive.read(name, 600 * MEGABYTE) for name in archive.names}


def refusal(path: Path, data: bytes, limits: Limits | None = None, password: str | None = None) -> str:
    path.write_bytes(data)
    with pytest.raises(Rejected) as caught:
        read_all(path, limits, password)
    assert str(caught.value).endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value.code


def entries(data: bytes) -> list[int]:
    """Where the entries of the central directory begin."""
    return [at for at in range(len(data)) if data.startswith(b"PK\x01\x02", at)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out_as_they_went_in(file: Path, method: int) -> None:
    """In the directory's order, byte for byte, stored or deflated."""
    members = {"b/report.txt": PROSE, "a.csv": b"x,y\n", "nothing.txt": b""}
    file.write_bytes(pack(members, method))
    assert list(read_all(file).items()) == list(members.items())


def test_an_archive_that_was_written_as_a_stream_is_read(file: Path) -> None:
    """Its local headers have no sizes: they follow the data."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", PROSE)
        archive.writestr("b.txt", PROSE)
    file.write_bytes(pipe.getvalue())
    assert read_all(file) == {"a.txt": PROSE, "b.txt": PROSE}


def test_an_archive_behind_a_program_and_before_a_comment_is_read(file: Path) -> None:
    """As self-extracting archives are; the offsets in it do not count what stands before."""
    buffer = io.BytesIO(pack({"a.txt": PROSE}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"made at the mill"
    file.write_bytes(b"MZ a program" + buffer.getvalue())
    assert read_all(file) == {"a.txt": PROSE}


def test_an_archive_with_the_large_format_is_read(file: Path) -> None:
    """ZIP64 headers on a small member, as programs write them that do not know its size before."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.txt", "w", force_zip64=True) as member,
    ):
        member.write(PROSE)
    file.write_bytes(buffer.getvalue())
    assert read_all(file) == {"a.txt": PROSE}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("dir\\sub\\a.txt", "dir/sub/a.txt"),
        ("/etc/a.txt", "etc/a.txt"),
        ("C:\\temp\\a.txt", "temp/a.txt"),
        ("./a//b/./c.txt", "a/b/c.txt"),
        ("a\nb\x1b[31m\x7f.txt", "ab[31m.txt"),
        ("report\u202etxt.exe", "reporttxt.exe"),
        ("отчёт/報告書 - تقرير.txt", "отчёт/報告書 - تقرير.txt"),
        ("Gru\u0308\u00dfe.txt", "Gr\u00fc\u00dfe.txt"),
        ("می\u200cشود.txt", "می\u200cشود.txt"),
        ("a:b.txt", "b.txt"),
        ("ab:c.txt", "ab:c.txt"),
    ],
)
def test_names_become_relative_and_harmless(file: Path, given: str, expected: str) -> None:
    """Backslashes, roots, drives and control characters go; scripts stay."""
    file.write_bytes(pack({given: PROSE}))
    assert read_all(file) == {expected: PROSE}


def test_a_name_in_utf8_that_does_not_say_so_is_read_as_utf8(file: Path) -> None:
    """Macs leave out the flag; without this every umlaut would be two wrong characters."""
    data = pack({"Größe.txt": PROSE})
    for at in (0, *entries(data)):
        flags = at + (8 if at else 6)
        data = data[:flags] + b"\0\0" + data[flags + 2 :]
    file.write_bytes(data)
    assert read_all(file) == {"Größe.txt": PROSE}


def test_what_leads_out_of_the_archive_is_left_out_with_a_warning(file: Path) -> None:
    """The other members are read all the same."""
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO(pack({"../../etc/cron.d/x": b"1", "a/..\\..\\b": b"2", "ok.txt": PROSE, "": b"3"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    file.write_bytes(buffer.getvalue())
    with SafeZip(file, Limits()) as archive:
        assert archive.names == ["ok.txt"]
        assert archive.warnings == [
            "files of the archive that lead out of it: 3, left out",
            "files of the archive that are links: 1, left out",
        ]


def test_folders_and_furniture_are_no_members(file: Path) -> None:
    """Nor do they deserve a warning: nobody put them there on purpose."""
    junk = ["dir/", "dir\\", "__MACOSX/._a.txt", "x/._a.txt", "x/.DS_Store", "Thumbs.db", "a.txt"]
    file.write_bytes(pack({name: b"" if name.endswith(("/", "\\")) else PROSE for name in junk}))
    with SafeZip(file, Limits()) as archive:
        assert (archive.names, archive.warnings) == (["a.txt"], [])


def test_of_two_members_with_one_name_the_first_counts(file: Path) -> None:
    """After tidying, names are the same that were different before; a warning says so."""
    file.write_bytes(pack({"a/b.txt": b"first", "a\\b.txt": b"second", "/a/b.txt": b"third"}))
    with SafeZip(file, Limits()) as archive:
        assert archive.read("a/b.txt", 100) == b"first"
        assert archive.warnings == ["files of the archive that are there twice: 2, left out"]


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
    tracemalloc.start()
    try:
        assert refusal(file, many, Limits(members=100)) == "too_many_members"
        assert tracemalloc.get_traced_memory()[1] < 2.5 * len(many)
    finally:
        tracemalloc.stop()


def test_a_flat_bomb_is_refused_after_little_work(file: Path) -> None:
    """300 MB of zeros in 300 kB: refused once more came out than 200 times what went in."""
    bomb = pack({"bomb.txt": bytes(300 * MEGABYTE)})
    started = time.process_time()
    tracemalloc.start()
    try:
        assert refusal(file, bomb) == "inflates_too_much"
        assert tracemalloc.get_traced_memory()[1] < 130 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 5


def test_a_streamed_bomb_costs_no_memory(file: Path) -> None:
    """Whoever reads in steps holds a step, however much comes out before the limit is reached."""
    file.write_bytes(pack({"bomb.txt": bytes(300 * MEGABYTE)}))
    tracemalloc.start()
    try:
        with SafeZip(file, Limits()) as archive, archive.open("bomb.txt") as stream:
            steps = iter(lambda: len(stream.read(MEGABYTE // 8)), 0)
            with pytest.raises(Rejected) as caught:
                sum(steps)
        assert tracemalloc.get_traced_memory()[1] < 2 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert caught.value.code == "inflates_too_much"


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


def test_reading_a_member_whole_stops_at_what_the_caller_can_take(file: Path) -> None:
    """At the size it is read, one byte more is refused."""
    file.write_bytes(pack({"a.txt": PROSE}))
    with SafeZip(file, Limits()) as archive:
        assert archive.read("a.txt", len(PROSE)) == PROSE
        with pytest.raises(Rejected, match="larger"):
            archive.read("a.txt", len(PROSE) - 1)


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


def encrypted_by_hand(password: bytes) -> bytes:
    """PKWARE's old encryption (APPNOTE 6.1), which zipfile reads but does not write."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(value: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    def encrypt(data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            key = keys[2] | 2
            out.append(byte ^ (((key * (key ^ 1)) >> 8) & 0xFF))
            update(byte)
        return bytes(out)

    for byte in password:
        update(byte)
    checksum = zlib.crc32(PROSE)
    body = encrypt(bytes(11) + bytes([checksum >> 24]) + PROSE)
    fields = struct.pack("<HHHHIIIHH", 1, 0, 0, 33, checksum, len(body), len(PROSE), 5, 0)
    local = b"PK\x03\x04" + struct.pack("<H", 20) + fields + b"a.txt" + body
    central = b"PK\x01\x02" + struct.pack("<HH", 20, 20) + fields + bytes(14) + b"a.txt"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def test_an_encrypted_member_wants_its_password(file: Path) -> None:
    """Without it, and with a wrong one, the refusal says what is missing; with it the member is read."""
    data = encrypted_by_hand(b"wheel")
    assert refusal(file, data) == "encrypted"
    assert refusal(file, data, password="") == "encrypted"
    assert {refusal(file, data, password=f"no{number}") for number in range(5)} <= {
        "encrypted",
        "unreadable_archive",  # one wrong password in 256 passes the check of one byte
    }
    file.write_bytes(data)
    assert read_all(file, password="wheel") == {"a.txt": PROSE}


@pytest.mark.parametrize(("offset", "value"), [(8, 0x41), (10, 99)], ids=["strong", "aes"])
def test_encryption_that_cannot_be_undone_is_named(file: Path, offset: int, value: int) -> None:
    """Such an archive is not damaged, and a password would not help."""
    data = encrypted_by_hand(b"wheel")
    for at in (offset - 2, entries(data)[0] + offset):
        data = data[:at] + struct.pack("<H", value) + data[at + 2 :]
    assert refusal(file, data, password="wheel") == "encrypted"


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


def test_an_empty_archive_has_no_members(file: Path) -> None:
    """It is whole all the same."""
    file.write_bytes(pack({}))
    assert read_all(file) == {}
