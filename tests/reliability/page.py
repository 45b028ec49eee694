"""docs/reliability-counts.md, as a full run writes it: what each line does, and what came of it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.reliability import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[2] / "docs" / "reliability-counts.md"

HEADER = "| line | fault | cases | outcome | run |\n| --- | --- | ---: | --- | --- |\n"
_ROW = re.compile(r"^\| ([A-Z]) \| (.*) \| ([\d,]+) \| (.*) \| (\d{4}-\d\d-\d\d) \|$", re.MULTILINE)


class Dated(NamedTuple):
    """A row and the day it was run, `2026-01-31`."""

    row: Row
    day: str


INTRODUCTION = """# Reliability: the counts

[Reliability](reliability.md) says what is promised; this page is the evidence. Each line of the
table is a program that causes a fault on purpose, with real processes, users, mounts and signals,
and checks what is left.

## Run it

`make test` runs a short version of every line. `make reliability` runs the counts in the table and
writes this page; it takes about three quarters of an hour on two idle processors
(`MUTATION_SECONDS` in the environment limits line P, `ORDERS_SECONDS` line Q). Lines can be run one
by one; the rows of the others keep their values and dates:

```text
.venv/bin/python -m tests.reliability A C          # a short version of lines A and C
.venv/bin/python -m tests.reliability --full I     # line I in full; rewrites this page
```

A full run needs Linux and root, in a container or virtual machine that may mount file systems.
What cannot run there says "not run" and why. `strace`, `libfaketime` (Debian) and `atheris`,
`mutmut` (PyPI) are installed if they are missing.

Each row is from the last full run of its own line, so rows can come from different versions of the
source; `make reliability` renews them all.
"""

PROSE = """## The lines

**A, kills.** `strace` kills the process before the *n*-th system call, for every *n* from the
opening of the vault to the end of the save. Then the vault is read, its lock taken and the next
save made; afterwards the folder holds only the vault and its lock folder. Two *mutants*, saves with
a deliberate mistake, show that the check can fail.

**B, errors.** `strace` makes one system call fail, with one of eight error numbers. Either the save
raises an error of this package and the old content is there; or the failure came after the rename,
and `NotDurableError` says "saved, but perhaps not durable"; or it did no harm. Memory, time and
random numbers are left out: the kernel does not refuse those.

**C, pairs of faults.** The same inside Python, where a fault can also strike the error handling:
the second fault hits the save while it cleans up after the first. Open descriptors are counted
afterwards.

**E, signals.** Ctrl-C and SIGTERM at every system call. Where the signal becomes an exception, no
temporary file is left and the process itself can take the lock again. (If it strikes after the
kernel has opened a file and before Python knows of it, that one descriptor stays open; it holds no
lock.) Without a handler, SIGTERM kills the process.

**F, power cut.** A save on an ext4 file system that is an image in a file, with everything switched
off that would write early. When the process dies, the image is what the disk would hold: a copy of
it is mounted, its journal replayed, its vault read. Mutants without fsync must lose data.

**G, reordered writes.** POSIX promises less than ext4 does. The calls of a save are recorded. For
each moment, every disk is built that has all that was synced and any subset of the rest; writes may
be cut into pieces, and an fsync of a file does not cover its name. The vault on each of these disks
is read. Four mutants (no fsync of the file, none of the folder, truncating in place, unlinking
before the rename) must fail.

**H, full disks.** Small tmpfs and ext4 disks, records of every size around what fits; a disk that
is read-only; a limit on the size of files, which causes short writes. Reading works throughout, and
a client that cannot save logs in all the same, with `persisted` False; where the disk is read-only
from the start, it reports that and does not log in.

**I, many processes.** Transactions from 64 processes, threads and forks at once, none lost; SIGKILL
among writers, at random or at the holder of the lock; two hundred processes on an empty vault that
make one login, and the same when the process that logs in is killed, when the session ends while
all of them use it, and when the password is wrong or the server says 429.

**J, a hostile neighbour.** A real second user (uid 1001) plants every kind of thing at every name
beside a vault of root and of a plain user, swaps links, and opens whatever they can while others
save, under umask 0 and an ACL that would let them in. Every mode that a file or folder can have is
tried too.

**K, corruption.** Each bit of three vaults is flipped, each truncation made, and slots are forged
that ask for more memory or time than the format allows.

**L, leaks.** Canary secrets go through every flow of both clients at DEBUG. Logs, events, reprs,
errors with the local variables of their frames, pickles, argument lists, environments and files are
searched for them. `interpal.vault.harden_process()` keeps keys out of core files.

**M, clocks.** Clocks that are wrong by hours or by more than a year, that jump while a process
waits for a lock, and monotonic clocks that differ between processes.

**N, failovers.** Real Redis servers: three Sentinels over a primary and two replicas, and a cluster
of three nodes. The primary, or the node that has the vault, is killed while processes log in or
count up; a slot moves from node to node under them. Every login that the server saw is counted. The
tests of a server that is stopped, full or cut off, and of a rotation that is killed at any command,
are in `tests/stores`.

**O, generators.** Hypothesis drives a vault through random operations with faults in them, beside a
model of what it should hold. Coverage-guided fuzzing feeds the reader and `inspect`, including the
parts that are read only after a key has opened the vault.

**P, mutants.** The third generator, on a line of its own since it takes longest: mutation testing
changes the source of the format, the key slots and `private_files.py` in small ways, and a test has
to notice.

**Q, interleavings.** The flows of the clients are generators. One scheduler drives those of two or
three clients, threads of one process and of several, step by step, over a site in memory and the
real vault code. The vault is in memory, in some runs a file with encryption and the locks of the
kernel. The actions: a call, one that the site always refuses with 401, a validation, logins (also
of another account and by force), a logout, a removal, imports, a rotation of the vault key. The
site ends sessions and changes their cookies. A process is killed, or a call cancelled, at any step.
Every order with at most two preemptions is tried for two actions each, then random orders with a
seed. What must hold: no request carries a session of another account than the one asked for;
nothing is sent or saved after a logout; there is at most one login each time a session ends; a
saved session that is alive is never replaced by one that has ended; no lock outlives its holder.
Each mutant brings back one mistake. Its number is how many random orders it took to notice it; for
mistakes that few orders show, it is how many orders of one plan. In some runs the processes are
hosts that share a Redis server: one is stopped until its locks have expired, dies and leaves them,
or is refused its logins. In half of these runs the site allows an account only one session at a
time. In all of them nothing may be saved over a later login, and no host may be held back because
another was refused. A step is what a flow does between two waits; what happens inside a save is
covered by the lines above.
"""

SURVIVORS = """## Mutants that survive

Changes of the source that no test of the format or of the private files notices, by kind, and why
no test can notice them or needs to. A survivor of any other kind fails line P.

| line | change | mutants | why they survive | run |
| --- | --- | ---: | --- | --- |
"""


def write(rows: Iterable[Row], letters: set[str], day: str) -> None:
    """Write the page: *rows* for the *letters* that were run, the others as they stood."""
    old = parse(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else []
    gone = letters | {"S"} if "P" in letters else letters
    kept = [dated for dated in old if dated.row.letter not in gone]
    new = [Dated(row, day) for row in rows]
    PAGE.write_text(render(sorted([*kept, *new], key=_letter), machine()), encoding="utf-8")


def _letter(dated: Dated) -> str:
    return dated.row.letter


def parse(text: str) -> list[Dated]:
    """The rows of a page."""
    return [
        Dated(Row(letter, fault, int(cases.replace(",", "")), outcome), day)
        for letter, fault, cases, outcome, day in _ROW.findall(text)
    ]


def render(rows: list[Dated], where: str) -> str:
    faults = [dated for dated in rows if dated.row.letter != "S"]
    total = sum(row.cases for row, _ in faults)
    table = f"## The last full run\n\n{HEADER}{_lines(faults)}\n{total:,} cases. "
    survivors = [dated for dated in rows if dated.row.letter == "S"]
    return (
        f"{INTRODUCTION}\n{table}Machine of the last full run: {where}\n\n{PROSE}\n"
        f"{SURVIVORS}{_lines(survivors)}"
    )


def _lines(rows: Iterable[Dated]) -> str:
    return "".join(
        f"| {row.letter} | {_cell(row.fault)} | {row.cases:,} | {_cell(row.outcome)} | {day} |\n"
        for row, day in rows
    )


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def machine() -> str:
    """What kind of machine this is, without a name of it."""
    release = ".".join(platform.release().split(".")[:2]).partition("-")[0]
    who = "root" if os.geteuid() == 0 else "a plain user"
    return (
        f"{platform.system()} {release}, {platform.machine()}, {os.cpu_count()} processors, "
        f"{platform.python_implementation()} {platform.python_version()}, run as {who}."
    )
