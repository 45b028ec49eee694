"""J: a second, real user beside the vault: as plain user beside root, and beside a plain user.

`tests/files/test_strangers.py` tells the single stories, with root as the owner; they are run from
here too. This goes through the whole table, and once more with a plain user as the owner.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from interpal.exceptions import InterpalException, VaultError, VaultIOError, VaultPermissionError
from interpal.vault.files.private_files import Folder, read_secret_file
from interpal.vault.stores.file import FileStore
from tests.files import STRANGER, descriptors
from tests.files.test_replacing import default_acl
from tests.reliability import Row, spread
from tests.reliability.children import Child, Ended, in_child, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

OWNER = STRANGER + 1
KINDS = (
    "symlink to a file", "symlink to a folder", "symlink to nothing", "FIFO", "socket", "folder",
    "file", "hard link", "device",
)  # fmt: skip
PLACES = ("vault", "vault.locks", "vault.0123456789abcdef.tmp", "vault.locks/write.lock")
USES: dict[str, Callable[[FileStore], object]] = {
    "load": lambda store: store.load(),
    "save": lambda store: save(store, b"new"),
    "lock": lambda store: store.login_lock(bytes(32)).try_acquire(),
    "leftovers": lambda store: store.leftovers(),
}


def run(*, full: bool) -> Iterator[Row]:
    if os.geteuid() != 0:
        yield Row("J", "a hostile second user", 0, "not run: to be two users needs root")
        return
    yield Row("J", "the stories of tests/files/test_strangers.py", *told_stories())
    for owner, name in ((0, "root"), (OWNER, "a plain user")):
        yield Row(
            "J",
            f"{', '.join(KINDS[:-1])} or {KINDS[-1]} planted at vault, lock, folder of locks and "
            f"temporary of {name}",
            planted(owner),
            "refused with the path and the remedy, or harmless; no hang, nothing clobbered",
        )
        tries, opened = spied(owner, 3.0 if full else 0.5)
        yield Row(
            "J",
            f"a neighbour opens every name beside the vault of {name}, under umask 0 and a default "
            "ACL that lets him in",
            tries,
            f"{opened} opened",
        )
        links = swapped(owner, 3.0 if full else 0.5)
        yield Row(
            "J",
            f"a link that comes and goes at the vault of {name}",
            links,
            "refused, never followed",
        )
        wanted = None if full else 64
        yield Row(
            "J",
            f"modes of file, lock, folder of locks, folder and key file of {name}",
            modes(owner, wanted),
            "tightened to 0600, or refused; nothing open to another user is used",
        )


def told_stories() -> tuple[int, str]:
    """Run the tests with a second user; how many they are, and that all pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["tests/files/test_strangers.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-2000:]
    assert passed is not None, done.stdout[-2000:]
    return int(passed[1]), "all passed, the owner being root"


def save(store: FileStore, data: bytes) -> object:
    with store.write_lock(0.05) as writer:
        return writer.save(data)


@contextmanager
def house(owner: int) -> Generator[Path, None, None]:
    """A folder of the owner's that everyone can reach."""
    with scratch() as place:
        os.chmod(place, 0o755)
        path = Path(place) / "home"
        path.mkdir()
        os.chown(path, owner, owner)
        path.chmod(0o755)
        yield path


def as_owner(owner: int, work: Callable[[], object], *, seconds: int = 20) -> Ended:
    """Do *work* as the owner. A hang ends in SIGALRM, and in an AssertionError."""

    def limited() -> object:
        signal.alarm(seconds)
        return work()

    ended = in_child(limited, uid=owner)
    assert ended.killed_by == 0, f"it hung, or died: {ended}"
    return ended


def planted(owner: int) -> int:
    """A stranger puts each kind of thing at each place; how many of them were tried."""
    cases = 0
    for kind in KINDS:
        for place in PLACES:
            for use in USES:
                with house(owner) as home:
                    _meet(home, owner, kind, place, use)
                    cases += 1
    return cases


def _meet(home: Path, owner: int, kind: str, place: str, use: str) -> None:
    where = f"{kind} at {place}, {use} by {owner}"
    precious = home / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"precious")
    for path in (precious, precious / "file"):
        os.chown(path, owner, owner)
    as_owner(owner, lambda: save(FileStore(home / "vault"), b"old"))
    target = home / place
    if place == "vault":
        target.unlink()
    elif place == "vault.locks":
        (target / "write.lock").unlink()
        target.rmdir()
    elif place.startswith("vault.locks/"):
        target.unlink()
        target.parent.chmod(0o777)  # a careless administrator; the folder of locks is refused
    home.chmod(0o1777)  # as /tmp is
    _plant(kind, target, precious)
    home.chmod(0o1755 if place.endswith(".tmp") else 0o1777)
    before, files = _facts(home), descriptors()

    def work() -> str:
        outcome = "fine"
        try:
            USES[use](FileStore(home / "vault"))
        except VaultError as error:
            outcome = f"{type(error).__name__}: {error}"
        return f"{len(os.listdir('/proc/self/fd')) - files} {outcome}"

    _, outcome = as_owner(owner, work).said.split(" ", 1)
    if outcome != "fine":
        assert outcome.startswith(("VaultPermissionError", "VaultIOError")), f"{where}: {outcome}"
        assert str(home) in outcome, f"{where}: no path in {outcome}"
    elif use != "leftovers":
        # What is planted where this use does not look, and temporaries, which nobody opens.
        assert place != "vault" or use == "lock", f"{where}: taken"
        assert not place.startswith("vault.locks") or use == "load", f"{where}: taken"
    after = _facts(home)
    for name, facts in before.items():
        theirs = name == str(target) or "/precious" in name
        assert not theirs or after.get(name) == facts, f"{where}: {name} was changed"
    assert (precious / "file").read_bytes() == b"precious", where


def _plant(kind: str, target: Path, precious: Path) -> None:
    def plant() -> None:
        if kind.startswith("symlink"):
            end = {"file": precious / "file", "folder": precious, "nothing": precious / "no"}
            target.symlink_to(end[kind.rpartition(" ")[2]])
        elif kind == "FIFO":
            os.mkfifo(target)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                os.chdir(target.parent)
                listener.bind(target.name)
        elif kind == "folder":
            target.mkdir()
        elif kind == "file":
            target.write_bytes(b"planted")
        elif kind == "hard link":
            own = target.parent / "own"
            own.write_bytes(b"planted")
            os.link(own, target)

    if kind == "device":
        os.mknod(target, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        os.chown(target, STRANGER, STRANGER)
    else:
        assert in_child(plant, uid=STRANGER).said == "None"


def _facts(path: Path) -> dict[str, tuple[object, ...]]:
    """What must not change: kind and mode, inode, owner and change time of everything."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, names in os.walk(path):
        for name in [*folders, *names]:
            s = os.lstat(os.path.join(parent, name))
            facts = (s.st_mode, s.st_ino, s.st_uid, s.st_size, s.st_ctime_ns)
            found[os.path.join(parent, name)] = facts
    return found


def spied(owner: int, seconds: float) -> tuple[int, int]:
    """A stranger tries to open all there is while the owner saves; tries, and how many opened."""
    with house(owner) as home:
        default_acl(home)

        def write() -> None:
            os.umask(0)
            store = FileStore(home / "vault")
            while True:
                save(store, b"x" * 100_000)

        def spy() -> str:
            tries = opened = 0
            until = time.monotonic() + seconds
            while time.monotonic() < until or tries <= 50:  # the machine may be busy
                for name in os.listdir(home):
                    with suppress(OSError):
                        tries += 1
                        os.close(os.open(home / name, os.O_RDONLY | os.O_NONBLOCK))
                        opened += 1
                    with suppress(OSError):
                        tries += 1
                        os.listdir(home / name)
                        opened += 1
            return f"{tries} {opened}"

        writer = Child(write, uid=owner)
        try:
            tries, opened = map(int, in_child(spy, uid=STRANGER).said.split())
        finally:
            writer.kill()
            writer.wait()
        assert opened == 0, f"a neighbour opened {opened} files"
    return tries, opened


def swapped(owner: int, seconds: float) -> int:
    """A stranger makes the vault's name a link to a file of the owner's, and a file, by turns."""
    with house(owner) as home:
        precious = home.parent / "precious"
        precious.write_bytes(b"canary")
        os.chown(precious, owner, owner)
        precious.chmod(0o644)
        home.chmod(0o1777)

        def swap() -> None:
            os.chdir(home)
            while True:
                with suppress(OSError):
                    os.symlink(precious, "link")
                    os.rename("link", "vault")
                    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o666))
                    os.rename("file", "vault")

        def use() -> int:
            store = FileStore(home / "vault")
            refused, until = 0, time.monotonic() + seconds
            while time.monotonic() < until or refused <= 10:  # the machine may be busy
                refused += _is_refused(store.load)
                refused += _is_refused(lambda: save(store, b"new"))
            return refused

        swapper = Child(swap, uid=STRANGER)
        try:
            while not os.path.lexists(home / "vault"):
                time.sleep(0.001)
            refused = int(as_owner(owner, use).said)
        finally:
            swapper.kill()
            swapper.wait()
        assert precious.read_bytes() == b"canary"
        assert stat.S_IMODE(precious.stat().st_mode) == 0o644
    return refused


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        taken = attempt()
    except (VaultPermissionError, VaultIOError):
        return True
    assert taken is None, "something that a stranger owns was taken"
    return False


def modes(owner: int, wanted: int | None) -> int:
    """Every mode of the vault, the lock, the two folders and a key file; how many were tried."""
    with house(owner) as home:

        def work() -> int:
            store = FileStore(home / "vault")
            save(store, b"old")
            key = home / "key"
            key.write_bytes(b"k" * 32)
            lock, locks = home / "vault.locks/write.lock", home / "vault.locks"
            cases = 0
            for mode in spread(0o10000, wanted):
                cases += 5
                _file_mode(store, home / "vault", mode)
                _lock_mode(store, lock, mode)
                for folder in (locks, home):
                    _folder_mode(folder, mode)
                _key_mode(key, mode)
            return cases

        return int(as_owner(owner, work, seconds=300).said)


def _told(work: Callable[[], object]) -> str | None:
    """The class of the package's error, None where there was none."""
    try:
        work()
    except InterpalException as error:
        return type(error).__name__
    return None


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def _readable(mode: int) -> bool:
    return os.geteuid() == 0 or bool(mode & 0o400)


def _file_mode(store: FileStore, path: Path, mode: int) -> None:
    path.chmod(mode)
    told = _told(store.load)
    if _readable(mode):
        assert told is None, f"{mode:04o}: {told}"
        assert _mode(path) == mode & 0o600, f"{mode:04o} became {_mode(path):04o}"
    else:
        assert told == "VaultPermissionError", f"{mode:04o}: {told}"
    path.chmod(0o600)


def _lock_mode(store: FileStore, path: Path, mode: int) -> None:
    path.chmod(mode)
    told = _told(lambda: store.write_lock(0).__enter__())
    usable = os.geteuid() == 0 or mode & 0o600 == 0o600
    assert told == (None if usable else "VaultPermissionError"), f"{mode:04o}: {told}"
    assert not usable or _mode(path) == 0o600, f"{mode:04o} became {_mode(path):04o}"
    path.chmod(0o600)


def _folder_mode(path: Path, mode: int) -> None:
    path.chmod(mode)
    told = _told(lambda: Folder.open(str(path)).close())
    open_to_all = mode & 0o1002 == 0o0002
    expected = "VaultPermissionError" if open_to_all or not _readable(mode) else None
    assert told == expected, f"{path.name}, {mode:04o}: {told}"
    path.chmod(0o700 if path.name == "vault.locks" else 0o755)


def _key_mode(path: Path, mode: int) -> None:
    path.chmod(mode)
    told = _told(lambda: read_secret_file(str(path), 100))
    # What root owns may be read by others, as container secrets are, and written by nobody else.
    bad = mode & (0o022 if os.geteuid() == 0 else 0o066) or not _readable(mode)
    assert told == ("VaultPermissionError" if bad else None), f"key file, {mode:04o}: {told}"
    path.chmod(0o600)
