#!/usr/bin/env bash
# SQLite does not open in memory what it has serialized from a database in WAL mode, nor what it has
# serialized from a copy of one that is in memory already.
#
# `serialize` gives the bytes of a database, and `deserialize` takes them. With the bytes of a database
# in WAL mode it succeeds as well, and the first statement after it fails: "unable to open database
# file". The mode is in the file's header, and a database in memory cannot have a log beside it; the
# page on `sqlite3_deserialize` says so. The obvious way round is a backup into memory first. Such
# a copy can be read, and says that its journal mode is "memory", yet its header keeps the mark: what
# it serializes is refused too, and becomes a database in WAL mode where it is written to a file.
# A VACUUM of the copy removes the mark, and so does `PRAGMA journal_mode = DELETE` on the original.
#
# Seen, with Python 3.11 and apsw 3.54.1.0 (SQLite 3.54.1):
#
#   serialized from a file, DELETE mode: ['one']
#   serialized from a file, WAL mode: CantOpenError
#   backup into memory: ['one'], journal mode memory
#   serialized from the backup: CantOpenError
#   the same bytes as a file: ['one'], journal mode wal
#   serialized from the backup after VACUUM: ['one']
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0

cat > "$folder/show.py" <<'PYTHON'
import sys
from pathlib import Path

import apsw

folder = Path(sys.argv[1])


def names(database):
    return [name for (name,) in database.execute("SELECT name FROM things")]


def mode(database):
    return database.execute("PRAGMA journal_mode").fetchone()[0]


def opened(data):
    memory = apsw.Connection(":memory:")
    memory.deserialize("main", data)
    try:
        return names(memory)
    except apsw.Error as error:
        return type(error).__name__


for wanted in ("DELETE", "WAL"):
    original = apsw.Connection(str(folder / wanted))
    original.execute(f"PRAGMA journal_mode = {wanted}")
    original.execute("CREATE TABLE things (name)")
    original.execute("INSERT INTO things VALUES ('one')")
    print(f"serialized from a file, {wanted} mode: {opened(original.serialize('main'))}")

copy = apsw.Connection(":memory:")
with copy.backup("main", original, "main") as backup:
    backup.step()
print(f"backup into memory: {names(copy)}, journal mode {mode(copy)}")
data = copy.serialize("main")
print(f"serialized from the backup: {opened(data)}")
(folder / "written").write_bytes(data)
written = apsw.Connection(str(folder / "written"))
print(f"the same bytes as a file: {names(written)}, journal mode {mode(written)}")
copy.execute("VACUUM")
print(f"serialized from the backup after VACUUM: {opened(copy.serialize('main'))}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
serialized from a file, DELETE mode: ['one']
serialized from a file, WAL mode: CantOpenError
backup into memory: ['one'], journal mode memory
serialized from the backup: CantOpenError
the same bytes as a file: ['one'], journal mode wal
serialized from the backup after VACUUM: ['one']
SEEN
