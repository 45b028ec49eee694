"""H: disks that are really full, really read-only, or that take a part of a write only."""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from interpal import InterpalClient
from interpal.exceptions import NotDurableError, VaultIOError
from tests.reliability import Row, spread
from tests.reliability.children import in_child, scratch
from tests.reliability.kills import no_plaintext
from tests.reliability.logins import NAME, PASSWORD, Server, server
from tests.reliability.namespaces import in_mounts_of_its_own, mount_allowed
from tests.reliability.namespaces import run as command
from tests.reliability.subjects import CANARY, KB, KEY, open_vault, path_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interpal.vault.vault import Vault

RAM_KB = 64
DISK_KB = 512
LOGINS = {
    "full": "logged in with persisted=False",
    "read-only": "told before a login is tried",
}


def run(*, full: bool) -> Iterator[Row]:
    why_not = mount_allowed()
    if why_not is None:
        wanted = None if full else 12
        for name, mount in (("tmpfs of 64 KB", _tmpfs), ("ext4 of 512 KB", _ext4)):
            saved, refused = map(int, _on(mount, partial(_grow, wanted)).split())
            yield Row(
                "H",
                f"{name}, records of every size around the limit",
                saved + refused,
                f"{saved:,} saved, {refused:,} refused with ENOSPC, the old content every time",
            )
        with server() as sandbox:
            for name, mount in (("full", _filled), ("read-only", _read_only)):
                cases = _on(mount, partial(_log_in, sandbox, name))
                yield Row(
                    "H",
                    f"{name} disk: read, change, log in",
                    int(cases),
                    f"read without a lock, typed error, {LOGINS[name]}",
                )
    else:
        yield Row("H", "full and read-only disks", 0, f"not run: {why_not}")
    saved, refused = limited(None if full else 12)
    yield Row(
        "H",
        "RLIMIT_FSIZE, every limit around the size of the file: short writes, then EFBIG",
        saved + refused,
        f"{saved:,} saved, {refused:,} refused, the old content every time",
    )


def _on(mount: Callable[[str], None], work: Callable[[str], object]) -> str:
    """What *work* says in a folder on a disk that *mount* makes."""
    with scratch(on_disk=True) as place:

        def mounted() -> object:
            mount(place)
            return work(os.path.join(place, "disk"))

        said = in_mounts_of_its_own(mounted)
    assert said[:1].isdigit(), said
    return said


def _disk(place: str) -> str:
    path = os.path.join(place, "disk")
    os.mkdir(path, 0o700)
    return path


def _tmpfs(place: str) -> None:
    command("mount", "-t", "tmpfs", "-o", f"size={RAM_KB}k,mode=700", "none", _disk(place))


def _ext4(place: str) -> None:
    image = os.path.join(place, "image")
    with open(image, "wb") as file:
        file.truncate(DISK_KB * KB)
    command("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
    command("mount", "-o", "loop", image, _disk(place))


def _with_a_vault(place: str) -> str:
    disk = os.path.join(place, "disk")
    with open_vault(disk, create=True) as vault:
        vault["pedro_k"] = {"note": CANARY}
    return disk


def _filled(place: str) -> None:
    _tmpfs(place)
    disk = _with_a_vault(place)
    # Until it is full.
    with open(os.path.join(disk, "filler"), "wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def _read_only(place: str) -> None:
    _tmpfs(place)
    disk = _with_a_vault(place)
    command("mount", "-o", "remount,ro", disk)


def _grow(wanted: int | None, disk: str) -> str:
    """Save records of growing size on a small disk; how many were saved and refused."""
    with open_vault(disk, create=True) as vault:
        vault["maple_ink"] = {"pad": ""}
        stats = os.statvfs(disk)
        free = stats.f_bavail * stats.f_bsize
        with open(os.path.join(disk, "filler"), "wb") as filler:
            filler.write(b"x" * max(free - RAM_KB * KB, 0))
        saved = refused = 0
        # A record takes four thirds of its size, and the old one stays until the new is whole.
        sizes = range(8 * KB, 56 * KB, 64)
        for index in spread(len(sizes), wanted):
            done = _save(vault, "maple_ink", sizes[index])
            saved, refused = saved + done, refused + (not done)
            left = set(os.listdir(disk)) - {"lost+found", "filler"}
            assert left == {"vault", "vault.locks"}, left
        no_plaintext(disk, "a small disk")
    assert saved > 3, "the disk was too small for anything"
    assert refused > 3, "the disk was never full"
    return f"{saved} {refused}"


def _save(vault: Vault, name: str, size: int) -> bool:
    """Whether a record of *size* was saved; where not, the old content must be there."""
    before = vault.snapshot()
    record = {"pad": "x" * size}
    error = _refusal(lambda: vault.__setitem__(name, record))
    if error is None:
        assert vault[name] == record
        return True
    assert error.errno in (errno.ENOSPC, errno.EFBIG), error
    assert "Free some space" in str(error) or "ulimit -f" in str(error), error
    assert not isinstance(error, NotDurableError), error
    assert vault.snapshot() == before, f"{size} bytes: the old content is gone"
    return False


def _refusal(change: Callable[[], object]) -> VaultIOError | None:
    """The error of a change, None where it was taken."""
    try:
        change()
    except VaultIOError as error:
        return error
    return None


def _log_in(sandbox: Server, what: str, disk: str) -> int:
    """On a disk that takes nothing: reading, changing, logging in; how many were tried."""
    cases = 0
    with open_vault(disk) as vault:
        assert vault["pedro_k"] == {"note": CANARY}
        cases += 1
        expected = errno.EROFS if what == "read-only" else errno.ENOSPC
        for change in (
            lambda: vault.update(maple_ink={"pad": "x" * 50_000}),
            lambda: vault.rotate() if expected == errno.EROFS else vault.update(a={"b": "c"}),
        ):
            error = _refusal(change)
            assert error is not None, f"a change on a {what} disk was taken"
            assert error.errno == expected, error
            cases += 1
        assert dict(vault.snapshot()) == {"pedro_k": {"note": CANARY}}
    settings: dict[str, Any] = {
        "auto_login": True,
        "persist_session": True,
        "base_url": sandbox.url,
        "session_file": path_in(disk),
        "vault_key": KEY,
    }
    if what == "read-only":
        logins = sandbox.logins
        error = _refusal(lambda: InterpalClient(NAME, PASSWORD, **settings).close())
        assert error is not None, "a login was made that could not be saved"
        assert error.errno == errno.EROFS, error
        assert sandbox.logins == logins
    else:
        with InterpalClient(NAME, PASSWORD, **settings) as client:
            assert client.is_authenticated
            assert not client.persisted
            assert client.get_self()
    cases += 1
    with open_vault(disk) as vault:
        assert dict(vault.snapshot()) == {"pedro_k": {"note": CANARY}}
    return cases + 1


def limited(wanted: int | None) -> tuple[int, int]:
    """Save under every limit on the size of a file; how often it was saved and refused."""
    saved = refused = 0
    with scratch() as folder:
        with open_vault(folder, create=True) as vault:
            vault["maple_ink"] = {"pad": "x" * 1500}
        size = os.path.getsize(path_in(folder))

        def work(limit: int) -> bool:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            with open_vault(folder) as vault:
                return _save(vault, "maple_ink", 1500 - limit % 2)

        limits = range(max(size - 400, 16), size + 400)
        for index in [*spread(len(limits), wanted), *(-limits[0] + tiny for tiny in (0, 1, 7))]:
            said = in_child(partial(work, limits[0] + index)).said
            assert said in ("True", "False"), f"limit {limits[0] + index}: {said}"
            saved, refused = saved + (said == "True"), refused + (said == "False")
            assert sorted(os.listdir(folder)) == ["vault", "vault.locks"]
    assert saved > 3
    assert refused > 3
    return saved, refused
