"""What `doctor` finds, asked in process: things that a test of the program cannot bring about.

Where a file of another user is needed, this process takes itself for another: `geteuid` says so.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import struct
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import VaultIOError, VaultNotFoundError
from interpal.session import Session
from interpal.vault import Vault
from interpal.vault.files import permissions
from interpal.vault.files.folders import OpenFolder
from interpal.vault.health import doctor, report, surroundings
from interpal.vault.keys.sources import default_key_path
from interpal.vault.stores.file import FileStore
from tests.files import in_child
from tests.vault import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.vault.health.surroundings import Finding

STRANGER = 4242


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir(mode=0o700)
    path = folder / "v.json"
    Vault.open(path, key=KEY, create=True).close()
    return path


@pytest.fixture
def as_stranger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


def no_git(folder: str, arguments: list[str]) -> int | None:
    return None


def found(path: Path, **more: Any) -> dict[str, Finding]:
    given: dict[str, Any] = {"git": no_git, "environ": {}, **more}
    return {finding.code: finding for finding in doctor.examine(str(path), **given)}


def own(path: Path, **more: Any) -> set[str]:
    """The findings but those of the folders above, which are the machine's."""
    return set(found(path, **more)) - {"folder-above"}


def test_a_sound_vault_has_no_finding(path: Path) -> None:
    assert own(path) == set()


def test_a_clock_that_was_never_set_is_found(path: Path) -> None:
    assert "1970-01-01" in found(path.with_name("none.json"), now=0)["clock"].message
    # By a clock that is behind, what was saved by a good one is in the future.
    assert "saved in the future" in found(path, now=1_750_000_000)["clock"].message


def test_a_network_file_system_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "network_filesystem", lambda folder: "nfs4")
    assert "nfs4" in found(path)["network-filesystem"].message


def test_a_second_view_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "second_view", lambda folder: "/mnt/other")
    assert "/mnt/other" in found(path)["two-views"].message


def test_what_is_no_file_is_named(path: Path) -> None:
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    assert "a FIFO" in found(fifo)["kind"].message


def test_another_name_for_the_file_is_found(path: Path) -> None:
    os.link(path, path.with_name("other"))
    assert own(path) == {"links", "unreadable"}


def test_a_file_that_cannot_be_read_at_all_is_said_to_be_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: FileStore) -> None:
        raise VaultIOError(f"{store.location}: cannot read", path=store.location)

    monkeypatch.setattr(report, "load", fail)
    assert found(path)["unreadable"].message == "cannot read"


def test_a_file_that_may_not_be_read_is_not_called_damaged(path: Path) -> None:
    for folder in (path.parent, *list(path.parent.parents)[:3]):
        folder.chmod(0o711)
    told = in_child(lambda: list(found(path)["unreadable"]), uid=STRANGER)
    assert "Permission denied" in told
    assert "Check its owner and mode" in told
    assert "restore a good copy" not in told


@pytest.mark.usefixtures("as_stranger")
def test_what_belongs_to_others_is_found_and_not_ours_to_mend(path: Path, tmp_path: Path) -> None:
    findings = found(path)
    us = pwd.getpwuid(os.getuid()).pw_name
    assert {"owner", "locks"} <= set(findings)
    assert us in findings["owner"].message
    assert f"user {STRANGER}" in findings["owner"].message
    assert all(finding.fix is None for finding in findings.values())
    before = path.stat().st_mode
    surroundings.restrict(str(path), 0o400)
    assert path.stat().st_mode == before


def test_the_folder_of_the_locks_has_to_be_one(path: Path) -> None:
    locks = path.with_name("v.json.locks")
    for lock in locks.iterdir():
        lock.unlink()
    locks.rmdir()
    assert own(path) == set()
    locks.write_bytes(b"")
    assert "a file, not the folder" in found(path)["locks"].message


def test_git_is_asked_whether_it_has_the_vault(path: Path) -> None:
    answers: dict[str, int | None] = {}

    def git(folder: str, arguments: list[str]) -> int | None:
        assert folder == str(path.parent)
        return answers.get(arguments[0], 1)

    assert own(path, git=git) == set()
    answers["rev-parse"] = 0
    assert own(path, git=git) == {"git-not-ignored"}
    answers["check-ignore"] = 0
    assert own(path, git=git) == set()
    answers["ls-files"] = 0
    assert own(path, git=git) == {"git-tracked"}


def test_a_save_that_is_under_way_is_no_leftover(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = path.with_name("v.json.0123456789abcdef.tmp")
    temporary.write_bytes(b"")
    assert own(path) == set()
    os.utime(temporary, (0, 0))
    assert own(path) == {"leftover"}
    found(path)["leftover"].fix()  # type: ignore[misc]
    assert not temporary.exists()
    # One that has gone by the time that it is looked at is none either.
    monkeypatch.setattr(FileStore, "leftovers", lambda store: [str(temporary)])
    assert own(path) == set()


def test_a_folder_that_cannot_be_listed_is_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: object) -> list[str]:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "listdir", fail)
    assert own(path) == set()


def test_a_vault_that_goes_while_it_is_looked_at_is_not_found(path: Path) -> None:
    store = FileStore(path)
    stored = report.load(store)
    path.unlink()
    with pytest.raises(VaultNotFoundError, match="is gone"):
        report.describe(store, stored)


# The surroundings.


def test_a_folder_that_is_not_there_has_no_findings(tmp_path: Path) -> None:
    assert list(surroundings.of_folder(str(tmp_path / "none"))) == []


@pytest.mark.usefixtures("as_stranger")
def test_a_folder_of_another_user_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.stat

    def anothers(name: Any, **where: Any) -> Any:
        real = stat(name, **where)
        return os.stat_result((real.st_mode, *real[1:4], STRANGER + 1, *real[5:10]))

    monkeypatch.setattr(os, "stat", anothers)
    findings = {one.code: one for one in surroundings.of_folder(str(path.parent))}
    assert set(findings) == {"folder-owner", "folder-above"}
    assert f"user {STRANGER + 1}" in findings["folder-above"].message


def test_a_folder_above_that_cannot_be_looked_at_is_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def only_this(name: Any, **where: Any) -> os.stat_result:
        if name != str(path.parent):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return stat(name, **where)

    monkeypatch.setattr(os, "stat", only_this)
    assert list(surroundings.of_folder(str(path.parent))) == []


@pytest.mark.parametrize(
    ("group", "members", "primary", "finding"),
    [
        ("maple", [], 7, None),
        ("maple", ["maple"], 7, None),
        ("maple", ["maple", "pedro"], 7, "the group"),
        ("staff", [], 7, "the group"),
        ("maple", [], 8, "the group"),
        (None, [], 7, "the group"),
    ],
)
def test_a_group_of_the_users_own_is_nobody_else(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group: str | None,
    members: list[str],
    primary: int,
    finding: str | None,
) -> None:
    def getgrgid(gid: int) -> Any:
        if group is None:
            raise KeyError(gid)
        return SimpleNamespace(gr_gid=7, gr_name=group, gr_mem=members)

    monkeypatch.setattr(grp, "getgrgid", getgrgid)
    user = SimpleNamespace(pw_gid=primary, pw_name="maple", pw_uid=0)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(pwd, "getpwall", lambda: [user])
    os.chown(path.parent, 0, 7)
    path.parent.chmod(0o770)
    messages = [f.message for f in surroundings.of_folder(str(path.parent)) if "-mode" in f.code]
    assert [message.startswith(f"{finding} may change") for message in messages] == (
        [] if finding is None else [True]
    )
    second = SimpleNamespace(pw_gid=7, pw_name="cedar", pw_uid=1001)
    monkeypatch.setattr(pwd, "getpwall", lambda: [user, second])
    assert "folder-mode" in {f.code for f in surroundings.of_folder(str(path.parent))}
    path.parent.chmod(0o1770)
    assert "folder-mode" not in {f.code for f in surroundings.of_folder(str(path.parent))}


def test_the_group_of_root_is_nobodys_own(path: Path) -> None:
    """Containers run any number of users in it, none of whom it lists."""
    os.chown(path.parent, 0, 0)
    path.parent.chmod(0o770)
    found = {f.code: f for f in surroundings.of_folder(str(path.parent))}
    assert found["folder-mode"].message.startswith("the group may change")
    found["folder-mode"].fix()  # type: ignore[misc]
    assert path.parent.stat().st_mode & 0o777 == 0o750


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access ACL as the kernel keeps it: tag, permissions, id (acl(5))."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 65534
NO_ID = 2**32 - 1


@pytest.mark.parametrize(
    ("named", "mask", "who"),
    [
        ((2, 7, NOBODY), 7, f"user {NOBODY} (by an ACL)"),
        ((8, 7, 12345), 7, "group 12345 (by an ACL)"),
        ((2, 5, NOBODY), 7, None),
        ((2, 7, NOBODY), 5, None),
        ((2, 7, 0), 7, None),
    ],
)
def test_whom_an_acl_lets_write_is_told(
    path: Path,
    named: tuple[int, int, int],
    mask: int,
    who: str | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = path.parent
    value = acl((1, 7, NO_ID), named, (4, 5, NO_ID), (16, mask, NO_ID), (32, 0, NO_ID))
    if named[0] == 8:
        value = acl((1, 7, NO_ID), (4, 5, NO_ID), named, (16, mask, NO_ID), (32, 0, NO_ID))
    os.setxattr(folder, "system.posix_acl_access", value)
    found = {f.code: f for f in surroundings.of_folder(str(folder))}
    monkeypatch.setattr(permissions, "_warned", set())
    with OpenFolder.open(str(folder)):
        pass
    if who is None:
        assert "folder-mode" not in found
        assert "may change" not in caplog.text
        return
    assert found["folder-mode"].message.startswith(f"{who} may change what is in the folder")
    assert f"{folder}: {who} may change what is in this folder. Fix it: chmod g-w" in caplog.text
    found["folder-mode"].fix()  # type: ignore[misc]
    assert "folder-mode" not in {f.code for f in surroundings.of_folder(str(folder))}


def test_sources_of_the_key_are_looked_at_and_not_used(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose, beside = tmp_path / "loose", path.with_name("vault.key")
    for file in (loose, beside):
        file.write_bytes(b"x")
    loose.chmod(0o666)
    beside.chmod(0o600)
    environ = {
        "INTERPALS_VAULT_PASSPHRASE": "",
        "INTERPALS_VAULT_PASSPHRASE_FILE": str(tmp_path / "absent"),
        "INTERPALS_VAULT_KEY_FILE": str(beside),
    }
    said = [(f.code, f.message) for f in surroundings.of_sources(str(path.parent), environ)]
    assert [code for code, _ in said] == [
        "ambiguous-sources", "empty-source", "key-file", "key-beside-vault",
    ]  # fmt: skip
    assert "INTERPALS_VAULT_PASSPHRASE and INTERPALS_VAULT_PASSPHRASE_FILE" in said[0][1]
    finding, *others = surroundings.of_sources(
        str(path.parent), {"INTERPALS_VAULT_KEY_FILE": str(loose)}
    )
    assert (finding.code, others) == ("key-file", [])
    assert finding.fix is not None
    finding.fix()
    assert loose.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    stat = os.stat

    def anothers(name: Any, **where: Any) -> Any:
        real = stat(name, **where)
        return os.stat_result((real.st_mode, *real[1:4], STRANGER + 1, *real[5:10]))

    monkeypatch.setattr(os, "stat", anothers)
    (finding,) = surroundings.of_sources(str(path.parent), {"INTERPALS_VAULT_KEY_FILE": str(loose)})
    assert finding.message == f"INTERPALS_VAULT_KEY_FILE: it belongs to user {STRANGER + 1}"


def test_the_key_file_of_the_user_is_looked_at_too(path: Path) -> None:
    key = default_key_path()
    os.makedirs(os.path.dirname(key), mode=0o700)
    with open(key, "wb") as file:
        file.write(bytes(32))
    os.chmod(key, 0o666)
    (finding,) = surroundings.of_sources(str(path.parent), {})
    assert (finding.code, finding.path) == ("key-file", key)


def test_neighbours_that_give_the_session_away_are_found(path: Path) -> None:
    folder = path.parent
    (folder / "old_session.json").write_text('{"session_cookie": "abc"}')
    (folder / "other_session.json").write_text("{}")
    (folder / "folder_session.json").mkdir()
    (folder / "vault.key").write_bytes(bytes(32))
    os.link(folder / "other_session.json", folder / "linked_session.json")
    said = {f.code: f.path for f in surroundings.of_neighbours(FileStore(path))}
    assert said == {
        "plain-session": str(folder / "old_session.json"),
        "key-beside-vault": str(folder / "vault.key"),
    }


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("2026-11-22T07:40:00Z", 2026),
        ("2026-11-22T07:40:00", None),
        ("2026-11-22T07:40:00+01:00", 2026),
        (1795332844, None),
        (float("inf"), None),
        (10**20, None),
        (True, None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_time_in_a_record_is_shown_where_it_is_one(value: object, year: int | None) -> None:
    time = report.to_time(value)
    assert (None if time is None else time.year) == year


@pytest.mark.parametrize(
    "value",
    [
        "2099-01-01T00:00:00Z",
        "2099-01-01T00:00:00+0000",
        "2099-01-01T00:00:00",
        "2020-01-01T00:00:00Z",
        4070908800,
        "soon",
        True,
    ],
)
def test_the_command_line_and_the_client_agree_whether_a_session_is_over(value: object) -> None:
    now = datetime.now(timezone.utc)
    record = {"session_cookie": "c", "username": "m", "expires_at": value}
    session = Session.from_record(record)
    assert session is not None
    assert (report.account("m", record).state(now) == "expired") is session.has_expired(now)


def test_what_is_no_vault_is_named_by_what_it_is() -> None:
    assert "plain session file" in (report.what_instead(b'{"session_cookie": "abc"}') or "")
    assert "empty" in (report.what_instead(b"") or "")
    assert "not a vault" in (report.what_instead(b"[1, 2]") or "")
