#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the small rpm databases beside it, by SQLite, by Berkeley DB (perl's DB_File), and NDB by its description.

Each case has the database and expected.tsv: package number, name, version, release. For SQLite the expected rows are
what SQLite itself reads in a copy of the files; for the others what was put in. Run it in its folder.
"""
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent


def header(number, filler=0):
    """A header blob with the tags that every package has, in the format of rpm's docs/manual/format_header.md."""
    name = f"package{number:02}"
    values = [
        (1000, 6, name.encode() + b"\0"),
        (1001, 6, f"1.{number}".encode() + b"\0"),
        (1002, 6, b"3.el9\0"),
        (1014, 6, b"MIT\0"),
        (1022, 6, b"noarch\0"),
        (1044, 6, f"{name}-1.{number}-3.el9.src.rpm\0".encode()),
        (1008, 4, struct.pack(">I", 1700000000 + number)),
        (1004, 6, b"x" * filler + b"\0"),
    ]
    index = store = b""
    for tag, kind, value in sorted(values):
        if kind == 4:
            store += b"\0" * (-len(store) % 4)
        index += struct.pack(">IIII", tag, kind, len(store), 1)
        store += value
    return struct.pack(">II", len(values), len(store)) + index + store


def row(number):
    return f"{number}\tpackage{number:02}\t1.{number}\t3.el9\n"


def sizes(number):
    """Blobs that fit on a page, that have one overflow page, and that have many."""
    return [0, 150, 400, 900, 2500][number % 5]


def fill(connection, numbers):
    for number in numbers:
        connection.execute("INSERT INTO Packages VALUES(?, ?)", (number, header(number, sizes(number))))
        connection.execute("INSERT INTO Name VALUES(?, ?, 0)", (f"package{number:02}", number))


def erase(connection, numbers):
    for number in numbers:
        connection.execute("DELETE FROM Packages WHERE hnum = ?", (number,))
        connection.execute("DELETE FROM Name WHERE hnum = ?", (number,))


def database(path, page_size, wal=False):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)")
    connection.execute("CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)")
    connection.execute("CREATE INDEX name_idx ON 'Name' (key)")
    return connection


def keep(case, source, numbers=None):
    """Copies the files as they are now, and writes down what SQLite reads in a copy of them."""
    folder = HERE / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal", "-journal"):
        file = pathlib.Path(f"{source}{suffix}")
        if file.exists() and file.stat().st_size:
            shutil.copy(file, folder / f"rpmdb.sqlite{suffix}")
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(folder, f"{scratch}/copy")
        connection = sqlite3.connect(f"{copy}/rpmdb.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()
        assert all(blob == header(number, sizes(number)) for number, blob in rows)
        assert numbers is None or [number for number, _ in rows] == list(numbers), rows
        (folder / "expected.tsv").write_text("".join(row(number) for number, _ in rows))


def big_endian(case, source):
    """The log of a case as a machine of the other byte order writes it: only the checksums differ."""
    folder = HERE / case
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / source, folder)
    log = bytearray((folder / "rpmdb.sqlite-wal").read_bytes())
    page = struct.unpack(">I", log[8:12])[0]

    def add(sums, data, order):
        words = struct.unpack(f"{order}{len(data) // 4}I", data)
        first, second = sums
        for a, b in zip(words[::2], words[1::2]):
            first = (first + a + second) & 0xFFFFFFFF
            second = (second + b + first) & 0xFFFFFFFF
        return first, second

    little = add((0, 0), bytes(log[:24]), "<")
    assert little == struct.unpack(">II", log[24:32])
    log[0:4] = struct.pack(">I", 0x377F0683)
    big = add((0, 0), bytes(log[:24]), ">")
    log[24:32] = struct.pack(">II", *big)
    for at in range(32, len(log) - page - 23, page + 24):
        data = bytes(log[at : at + 8]) + bytes(log[at + 24 : at + 24 + page])
        little = add(little, data, "<")
        if little != struct.unpack(">II", log[at + 16 : at + 24]):
            break
        big = add(big, data, ">")
        log[at + 16 : at + 24] = struct.pack(">II", *big)
    (folder / "rpmdb.sqlite-wal").write_bytes(log)
    keep(case + ".tmp", folder / "rpmdb.sqlite")
    assert (HERE / (case + ".tmp") / "expected.tsv").read_text() == (folder / "expected.tsv").read_text()
    shutil.rmtree(HERE / (case + ".tmp"))


def sqlite_cases(scratch):
    path = f"{scratch}/clean"
    connection = database(path, 512)
    fill(connection, range(1, 25))
    erase(connection, range(3, 25, 3))
    connection.close()
    keep("sqlite-512", path, [n for n in range(1, 25) if n % 3])

    path = f"{scratch}/large"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size = 65536")
    connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    for number in range(1, 4):
        connection.execute("INSERT INTO Packages VALUES(?, ?)", (number, header(number, sizes(number))))
    connection.close()
    assert pathlib.Path(path).stat().st_size == 2 * 65536
    keep("sqlite-65536", path, range(1, 4))

    # Bytes at the end of each page are reserved, as encrypting builds have it: set while there is nothing yet.
    path = f"{scratch}/reserved"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA page_size = 512")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    page = bytearray(pathlib.Path(path).read_bytes())
    page[20] = 32
    page[105:107] = struct.pack(">H", 512 - 32)
    pathlib.Path(path).write_bytes(page)
    connection = database(path, 512)
    fill(connection, range(1, 6))
    connection.close()
    assert pathlib.Path(path).read_bytes()[20] == 32
    keep("sqlite-reserved", path, range(1, 6))

    path = f"{scratch}/empty"
    database(path, 512).close()
    keep("sqlite-empty", path, [])

    # A log of an older round beneath a newer, shorter one; a commit, then pages of a transaction without its commit.
    path = f"{scratch}/wal"
    connection = database(path, 512, wal=True)
    fill(connection, range(1, 11))
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("BEGIN")
    fill(connection, [11])
    erase(connection, [2])
    connection.execute("COMMIT")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN")
    erase(connection, [7])
    fill(connection, range(20, 23))
    keep("sqlite-wal", path, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    connection.close()
    big_endian("sqlite-wal-big-endian", "sqlite-wal")

    # Everything but page 1 is in the log still.
    path = f"{scratch}/young"
    connection = database(path, 512, wal=True)
    fill(connection, range(1, 4))
    keep("sqlite-wal-only", path, range(1, 4))
    connection.close()

    # A transaction that has overwritten pages of the database and did not end.
    path = f"{scratch}/hot"
    connection = database(path, 512)
    fill(connection, range(1, 11))
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN")
    erase(connection, [2, 3, 4, 9])
    connection.execute("UPDATE Packages SET blob = zeroblob(3000) WHERE hnum = 5")
    fill(connection, range(20, 26))
    keep("sqlite-hot-journal", path, range(1, 11))
    connection.close()


def ndb(case, numbers):
    """As rpm's lib/backend/ndb/rpmpkg.c lays it out."""
    folder = HERE / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    slots, blobs, block = b"", b"", 256
    for number in numbers:
        content = header(number, sizes(number))
        blocks = (16 + len(content) + 12 + 15) // 16
        blob = struct.pack("<4sIII", b"BlbS", number, 7, len(content)) + content
        blob += b"\0" * (blocks * 16 - len(blob) - 12)
        blob += struct.pack("<II4s", zlib.adler32(blob), len(content), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", number, block, blocks)
        blobs += blob
        block += blocks
    first = struct.pack("<4sIIII12x", b"RpmP", 0, 7, 1, max(numbers, default=0) + 1)
    slots += struct.pack("<4sIII", b"Slot", 0, 0, 0) * ((4096 - 32 - len(slots)) // 16)
    (folder / "Packages.db").write_bytes(first + slots + blobs)
    (folder / "expected.tsv").write_text("".join(row(number) for number in numbers))


PERL = r"""
use DB_File; use Fcntl;
my ($file, $kind, $order, $size) = @ARGV;
my $info = $kind eq 'hash' ? DB_File::HASHINFO->new : DB_File::BTREEINFO->new;
if ($kind eq 'hash') { $info->{bsize} = $size; $info->{ffactor} = 4 } else { $info->{psize} = $size }
$info->{lorder} = $order;
tie(my %db, 'DB_File', $file, O_RDWR | O_CREAT, 0644, $info) or die $!;
while (read(STDIN, my $head, 9) == 9) {
    my ($what, $key, $len) = unpack('a N N', $head);
    my $value = ''; read(STDIN, $value, $len) if $len;
    my $bytes = pack($order == 4321 ? 'N' : 'V', $key);
    if ($what eq '+') { $db{$bytes} = $value } else { delete $db{$bytes} }
}
untie %db;
"""


def bdb(case, kind, order, size, numbers, gone=()):
    folder = HERE / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    last = struct.pack(">I" if order == 4321 else "<I", max(numbers, default=0))
    steps = struct.pack(">cII", b"+", 0, 4) + last
    for number in sorted([*numbers, *gone]):
        content = header(number, sizes(number))
        steps += struct.pack(">cII", b"+", number, len(content)) + content
    for number in gone:
        steps += struct.pack(">cII", b"-", number, 0)
    command = ["perl", "-e", PERL, str(folder / "Packages"), kind, str(order), str(size)]
    subprocess.run(command, input=steps, check=True)
    (folder / "expected.tsv").write_text("".join(row(number) for number in sorted(numbers)))


def main():
    os.chdir(HERE)
    with tempfile.TemporaryDirectory() as scratch:
        sqlite_cases(scratch)
    ndb("ndb", [1, 2, 3, 5, 8])
    ndb("ndb-empty", [])
    bdb("bdb-hash", "hash", 1234, 512, range(1, 13), gone=[13, 14])
    bdb("bdb-hash-big-endian", "hash", 4321, 512, range(1, 13))
    bdb("bdb-btree", "btree", 1234, 512, range(1, 13), gone=[13, 14])


if __name__ == "__main__":
    sys.exit(main())
