#!/usr/bin/env bash
# In SQLite, a checkpoint with TRUNCATE changes the `data_version` of other connections, though no row
# changes.
#
# `PRAGMA data_version` is the cheap way to ask whether another connection has committed anything
# since one last looked, so programs keep what they have read while it stays the same. A checkpoint
# moves commits that everybody can see already from the write-ahead log into the database file. With
# PASSIVE (which SQLite runs by itself), FULL and RESTART the number stays. TRUNCATE also cuts the log
# to no bytes, and that counts as a change, each time, also where the log was empty before: a program
# that calls it now and then makes every other one read everything anew. An update that changes no
# row does not count, nor does a connection that is opened and closed.
#
# Seen, with Python 3.11 and apsw 3.54.1.0 (SQLite 3.54.1):
#
#   insert a row: changed
#   checkpoint, PASSIVE: same
#   checkpoint, FULL: same
#   checkpoint, RESTART: same
#   checkpoint, TRUNCATE: changed
#   checkpoint, TRUNCATE again: changed
#   update no row: same
#   open, read and close: same
#
# Exits with an error once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0

cat > "$folder/show.py" <<'PYTHON'
import sys

import apsw

path = sys.argv[1]
watching, other = apsw.Connection(path), apsw.Connection(path)
watching.execute("PRAGMA journal_mode = WAL")
watching.execute("CREATE TABLE things (name)")


def version():
    return watching.execute("PRAGMA data_version").fetchone()[0]


def read_elsewhere():
    third = apsw.Connection(path)
    third.execute("SELECT * FROM things").fetchall()
    third.close()


def sql(statement):
    return lambda: other.execute(statement).fetchall()


for what, action in (
    ("insert a row", sql("INSERT INTO things VALUES ('one')")),
    ("checkpoint, PASSIVE", sql("PRAGMA wal_checkpoint(PASSIVE)")),
    ("checkpoint, FULL", sql("PRAGMA wal_checkpoint(FULL)")),
    ("checkpoint, RESTART", sql("PRAGMA wal_checkpoint(RESTART)")),
    ("checkpoint, TRUNCATE", sql("PRAGMA wal_checkpoint(TRUNCATE)")),
    ("checkpoint, TRUNCATE again", sql("PRAGMA wal_checkpoint(TRUNCATE)")),
    ("update no row", sql("UPDATE things SET name = 'two' WHERE name = 'none'")),
    ("open, read and close", read_elsewhere),
):
    before = version()
    action()
    print(f"{what}: {'same' if version() == before else 'changed'}")
PYTHON

"$folder/venv/bin/python" "$folder/show.py" "$folder/things.db" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
insert a row: changed
checkpoint, PASSIVE: same
checkpoint, FULL: same
checkpoint, RESTART: same
checkpoint, TRUNCATE: changed
checkpoint, TRUNCATE again: changed
update no row: same
open, read and close: same
SEEN
