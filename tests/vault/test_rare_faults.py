"""What happens once in a million times, and must be as sound as the rest."""

from __future__ import annotations

import copy
import ctypes
import errno
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import (
    KeySourceError,
    ValidationError,
    VaultIOError,
    VaultNotFoundError,
    WrongKeyError,
)
from interpal.vault import Vault
from interpal.vault.files import permissions
from interpal.vault.files.private_files import Folder
from interpal.vault.format import envelope, key_slots
from interpal.vault.format.envelope import Payload
from interpal.vault.format.key_slots import normalise_passphrase
from interpal.vault.hardening import Hardening, harden_process
from interpal.vault.keys.sources import explicit_source, find_source
from interpal.vault.keys.unlock import SlotOpener
from interpal.vault.stores.file import FileStore
from tests.vault import KEY, Counted, new_vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "v.json"


def test_a_secret_shows_itself_in_no_format() -> None:
    secret = Hidden(b"canary")
    shown = f"{secret} {secret!r} {secret!s} {secret:>20} {secret} %s" % secret
    assert "canary" not in shown
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        copy.copy(secret)
    assert secret.reveal() == b"canary"


def test_a_passphrase_of_bytes_that_no_variable_can_hold_is_refused_where_it_is_read() -> None:
    source = find_source(environ={"INTERPALS_VAULT_PASSPHRASE": "\ud800 horse"})
    with pytest.raises(KeySourceError, match="INTERPALS_VAULT_PASSPHRASE"):
        source.read()


def test_a_passphrase_that_is_no_text_is_refused() -> None:
    for wrong in (7, b"bytes", None):
        with pytest.raises(ValidationError, match="not text"):
            normalise_passphrase(wrong)  # type: ignore[arg-type]


def test_a_payload_is_like_no_other_thing() -> None:
    assert Payload({"a": {}}) == Payload({"a": {}})
    assert Payload() != {"records": {}}


def test_a_slot_that_did_not_open_by_the_key_at_hand_costs_no_argon2id_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_vault(path).close()
    made = envelope.parse(path.read_bytes()).header
    counted = Counted(key_slots.derive_key)
    monkeypatch.setattr("interpal.vault.keys.unlock.derive_key", counted)
    opens = SlotOpener(explicit_source("correct horse"))
    opens.open(made)
    # The same numbers and salt around another content: the slot was tampered with.
    text = made.slots[0].text
    other = text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBA")
    tampered = made._replace(slots=(made.slots[0]._replace(text=other),))
    with pytest.raises(WrongKeyError, match="from the argument"):
        opens.open(tampered)
    assert counted.calls == 1


def test_a_login_lock_that_was_never_taken_can_be_released(path: Path) -> None:
    with Vault.open(path, key=KEY, create=True) as vault:
        lock = vault.login_lock("maple_ink")
        lock.release()
        assert lock.holder() is None
        assert lock.try_acquire()
        lock.release()


def test_what_the_system_does_not_allow_a_hardened_process_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing:
        def prctl(self, *numbers: int) -> int:
            return -1

        def mlock(self, *numbers: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing())
    closed = Vault.open(path, key=KEY, create=True)
    closed.close()
    with Vault.open(path, key=KEY) as vault, caplog.at_level(logging.WARNING):
        done = harden_process(closed, vault)
    assert done == Hardening(undumpable=False, locked=0)
    assert "core dumps stay on" in caplog.text
    assert "could not be locked in memory" in caplog.text


def test_a_vault_that_goes_before_the_lock_is_had_is_not_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_gone = FileStore.is_gone

    def look_and_lose(store: FileStore) -> bool:
        gone = is_gone(store)
        path.unlink()
        return gone

    with Vault.open(path, key=KEY, create=True) as vault:
        monkeypatch.setattr(FileStore, "is_gone", look_and_lose)
        with pytest.raises(VaultNotFoundError), vault.transaction() as records:
            records["a"] = {}
    assert not path.exists()


# Files and folders.


def test_a_file_that_goes_between_the_look_and_the_open_is_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"x")
    path.chmod(0o600)
    look = Folder.look

    def look_and_lose(folder: Folder, name: str) -> os.stat_result | None:
        found = look(folder, name)
        path.unlink()
        return found

    monkeypatch.setattr(Folder, "look", look_and_lose)
    with Folder.open(str(path.parent)) as folder:
        assert folder.read(path.name, limit=10) is None


def test_the_first_of_two_errors_is_the_one_that_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"old")
    path.chmod(0o600)
    close = os.close

    def write(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close_badly(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Folder.open(str(path.parent)) as folder, monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        patch.setattr(os, "close", close_badly)
        with pytest.raises(VaultIOError) as caught:
            folder.replace(path.name, b"new")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_another_process_makes_at_the_same_moment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def another_is_first(name: str, mode: int = 0o777, **where: Any) -> None:
        mkdir(name, mode, **where)
        mkdir(name, mode, **where)

    monkeypatch.setattr(os, "mkdir", another_is_first)
    with Folder.open(str(tmp_path / "new"), create=True) as folder:
        assert folder.path == str(tmp_path / "new")
    folder.close()  # a second time


def test_a_folder_that_stands_where_a_file_was_a_moment_ago_is_an_error_not_a_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").write_bytes(b"")
    look = Folder.look

    def look_later(folder: Folder, name: str) -> os.stat_result | None:
        (tmp_path / "inner").unlink()
        return look(folder, name)

    monkeypatch.setattr(Folder, "look", look_later)
    with Folder.open(str(tmp_path)) as folder, pytest.raises(VaultIOError, match="inner"):
        folder.subfolder("inner")


def test_folders_above_that_cannot_be_looked_at_are_not_judged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat: Callable[..., os.stat_result] = os.stat

    def nothing_above(name: Any, **where: Any) -> os.stat_result:
        if name == str(path.parent.parent):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return stat(name, **where)

    monkeypatch.setattr(os, "stat", nothing_above)
    with Vault.open(path, key=KEY, create=True) as vault:
        assert vault.generation == 1


def test_any_path_can_be_shown_and_quoted() -> None:
    assert permissions.shown("/a/\udcff") == "/a/\\xff"
    assert permissions.shown("/a/\ud800\x1b") == "/a/\\ud800\\x1b"
    assert permissions.quoted("/a/b-c") == "/a/b-c"
    assert permissions.quoted("/a b/it's") == "'/a b/it'\"'\"'s'"
