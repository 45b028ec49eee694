"""Another process has saved, rotated, replaced or removed the vault; many write at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from interpal._hidden import Hidden
from interpal.exceptions import VaultError, VaultNotFoundError, WrongKeyError
from interpal.vault import Vault
from interpal.vault.core import versions
from interpal.vault.format import envelope
from interpal.vault.keys import sources
from interpal.vault.stores.file import FileStore
from tests.children import Children
from tests.files import fork, held_by_a_thread
from tests.vault import CHEAP, KEY, OTHER_KEY, Counted, new_vault, reopened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.vault.places import Place

ROUNDS = 50


def test_reads_see_the_newest_version(place: Place) -> None:
    vault, other = place.new(), place.open()
    other["a"] = {"n": 1}
    assert vault["a"] == {"n": 1}
    vault["a"] = {"n": 2}
    assert other["a"] == {"n": 2}
    del other["a"]
    assert "a" not in vault


def test_after_anothers_rotation_the_key_at_hand_serves(place: Place, derivations: Counted) -> None:
    records = {f"account-{number}": {"n": number} for number in range(20)}
    vault = place.new(records, passphrase="correct horse", kdf=CHEAP)
    other = place.open(passphrase="correct horse")
    names = iter(records)
    uses: tuple[Callable[[str], Any], ...] = (
        lambda name: vault[name],
        lambda name: name in vault or pytest.fail("it is there"),
        lambda name: vault.__setitem__(name, {"new": True}),
        lambda name: vault.__delitem__(name),
        lambda name: list(vault),
        lambda name: vault.update({name: {"new": True}}),
        lambda name: vault.login_lock(name).try_acquire() or pytest.fail("it is free"),
        lambda name: vault.rotate(),
    )
    for use in uses:
        old_id = vault.id
        other.rotate()
        derivations.calls = 0
        use(next(names))
        assert derivations.calls == 0
        assert vault.id == other.id != old_id
    other["account-7"] = {"n": 77}
    assert vault["account-7"] == {"n": 77}


def test_a_rotated_vault_of_a_key_needs_no_second_look_at_the_source(path: Path) -> None:
    reads = []

    def read() -> Hidden[bytes]:
        reads.append(1)
        return Hidden(KEY)

    vault = Vault(FileStore(path), sources.KeySource("key", "counting", read))
    vault.start(create=True)
    Vault.open(path, key=KEY).rotate()
    vault["a"] = {"n": 1}
    assert len(reads) == 1


def test_a_vault_rotated_away_from_us_is_a_wrong_key_and_nothing_is_written(place: Place) -> None:
    vault = place.new({"a": {"n": 1}, "b": {"n": 2}})
    assert vault["a"] == {"n": 1}
    vault.add_slot(key=OTHER_KEY)
    place.open(key=OTHER_KEY).rotate(drop_slots=True)
    before = place.saved()
    uses: tuple[Callable[[], object], ...] = (
        lambda: vault["a"],
        lambda: vault.get("nobody"),
        lambda: "nobody" in vault,
        lambda: len(vault),
        lambda: list(vault),
        lambda: list(vault.walk()),
        lambda: vault.__setitem__("a", {"n": 666}),
        lambda: vault.__delitem__("a"),
        lambda: vault.update(new={}),
        lambda: vault.login_lock("a").try_acquire(),
        lambda: vault.add_slot(key=KEY),
        vault.rotate,
        vault.remove_file,
    )
    for use in uses:
        with pytest.raises(WrongKeyError) as caught:
            use()
        assert caught.value.path == vault.path
    assert place.saved() == before
    assert dict(place.open(key=OTHER_KEY)) == {"a": {"n": 1}, "b": {"n": 2}}


def test_a_new_secret_is_read_from_its_source_after_a_rotation(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    new_vault(path, {"a": {"n": 1}})
    environ = {"INTERPALS_VAULT_PASSPHRASE_FILE": str(secret)}
    vault = Vault(FileStore(path), sources.find_source(environ=environ))
    assert vault["a"] == {"n": 1}
    other = reopened(path)
    other.change_slot("slot-1", passphrase="battery staple", kdf=CHEAP)
    assert vault["a"] == {"n": 1}, "the vault key is the same"
    other.rotate()
    with pytest.raises(WrongKeyError):
        vault["a"]
    secret.write_text("battery staple\n")
    assert vault["a"] == {"n": 1}


def test_a_vault_replaced_by_another_of_the_same_secret_is_followed(
    path: Path, tmp_path: Path, derivations: Counted
) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    new_vault(tmp_path / "other", {"b": {"n": 2}})
    os.replace(tmp_path / "other", path)
    derivations.calls = 0
    assert dict(vault) == {"b": {"n": 2}}
    vault["c"] = {"n": 3}
    assert derivations.calls == 1
    assert dict(reopened(path)) == {"b": {"n": 2}, "c": {"n": 3}}


def test_a_vault_replaced_by_one_of_another_secret_is_not_written(
    path: Path, tmp_path: Path
) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    Vault.open(tmp_path / "other", passphrase="another", create=True, kdf=CHEAP)
    os.replace(tmp_path / "other", path)
    before = path.read_bytes()
    with pytest.raises(WrongKeyError):
        vault["a"] = {"n": 2}
    assert path.read_bytes() == before


def test_a_removed_vault_is_not_found_and_not_made_again(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    place.take_away()
    uses: tuple[Callable[[], object], ...] = (
        lambda: vault["a"],
        lambda: "a" in vault,
        lambda: vault.__setitem__("a", {"n": 2}),
        lambda: vault.__setitem__("b", {}),
        lambda: vault.__delitem__("a"),
        lambda: list(vault),
        vault.rotate,
        lambda: vault.update(b={}),
        lambda: vault.login_lock("a").try_acquire(),
        place.open,
    )
    for use in uses:
        with pytest.raises(VaultNotFoundError):
            use()
    with pytest.raises(VaultNotFoundError), vault.transaction() as records:
        records["a"] = {}
    vault.remove_file()
    with pytest.raises(VaultNotFoundError):
        place.open()


def test_a_vault_removed_inside_a_transaction_is_written_whole(path: Path) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    with vault.transaction() as records:
        path.unlink()
        records["b"] = {"n": 2}
    assert dict(reopened(path)) == {"a": {"n": 1}, "b": {"n": 2}}


def test_what_is_written_back_is_the_header_as_read_under_the_lock(path: Path) -> None:
    vault, other = new_vault(path), reopened(path)
    assert dict(vault) == {}
    other.add_slot(key=KEY, kid="second")
    vault["a"] = {"n": 1}
    assert [slot.kid for slot in Vault.open(path, key=KEY).slots] == ["slot-1", "second"]
    assert vault.generation == 3


def test_another_process_that_rotates_between_read_and_lock_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch, derivations: Counted
) -> None:
    vault, other = new_vault(path, {"a": {"n": 1}}), reopened(path)
    derivations.calls = 0
    store = vault._store
    lock = FileStore.write_lock
    rotations: list[int] = []

    def lock_after_rotation(self: FileStore, timeout: float) -> object:
        if self is store and not rotations:
            rotations.append(1)
            other.rotate()
        return lock(self, timeout)

    monkeypatch.setattr(FileStore, "write_lock", lock_after_rotation)
    with vault.transaction() as records:
        records["a"]["n"] += 1
    assert dict(reopened(path)) == {"a": {"n": 2}}
    assert vault.id == other.id
    assert derivations.calls == 1, "that of the vault which was opened to look"


def test_sixteen_processes_lose_nothing(place: Place) -> None:
    place.new({"shared": {"n": 0}}).close()

    def work(index: int) -> None:
        with place.open(lock_timeout=60) as vault:
            for number in range(ROUNDS):
                with vault.transaction() as records:
                    records["shared"]["n"] += 1
                    records[f"process-{index}"] = {"n": number + 1}

    assert Children(16, work).codes() == [0] * 16
    vault = place.open()
    assert vault["shared"]["n"] == 16 * ROUNDS
    assert [vault[f"process-{index}"]["n"] for index in range(16)] == [ROUNDS] * 16
    assert len(vault) == 17
    assert vault.generation == place.generation_after(1 + 16 * ROUNDS)


def test_threads_of_one_vault_lose_nothing_and_never_read_backwards(place: Place) -> None:
    vault = place.new({"shared": {"n": 0}}, lock_timeout=60)
    stop = threading.Event()
    backwards: list[tuple[int, int]] = []

    def write() -> None:
        for _ in range(ROUNDS):
            with vault.transaction() as records:
                records["shared"]["n"] += 1

    def read() -> None:
        last = 0
        while not stop.is_set():
            now = vault["shared"]["n"]
            if now < last:
                backwards.append((last, now))
            last = now

    writers = [threading.Thread(target=write) for _ in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert vault["shared"]["n"] == 4 * ROUNDS
    assert backwards == []


def test_writers_readers_and_rotations_at_once_lose_nothing(path: Path) -> None:
    new_vault(path, {"shared": {"n": 0}})

    def work(index: int) -> None:
        with Vault.open(path, passphrase="correct horse", lock_timeout=60) as vault:
            for _ in range(10):
                if index % 4 == 0:
                    vault.rotate()
                with vault.transaction() as records:
                    records["shared"]["n"] += 1
                assert vault["shared"]["n"] > 0

    assert Children(8, work).codes() == [0] * 8
    vault = reopened(path)
    assert vault["shared"]["n"] == 80
    assert vault.generation == 2 + 80 + 20


def test_a_child_uses_the_vault_of_its_parent(place: Place) -> None:
    vault = place.new({"a": {"n": 0}})

    def work(index: int) -> None:
        with vault.transaction() as records:
            records["a"]["n"] += 1

    assert Children(4, work).codes() == [0] * 4
    assert vault["a"]["n"] == 4


def test_a_child_made_inside_a_transaction_neither_saves_nor_stops_it(path: Path) -> None:
    vault = new_vault(path, {"a": {"n": 0}})

    def child() -> str:
        try:
            with vault.transaction(lock_timeout=0):
                return "got the lock"
        except VaultError as error:
            return type(error).__name__

    with vault.transaction() as records:
        records["a"]["n"] = 1
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writer, child().encode())
            os._exit(0)
        os.close(writer)
        assert os.read(reader, 100) == b"LockTimeoutError"
        os.close(reader)
        os.waitpid(pid, 0)
        with pytest.raises(VaultError):
            reopened(path).transaction(lock_timeout=0).__enter__()
    assert reopened(path)["a"] == {"n": 1}


def test_a_child_that_leaves_the_block_of_its_parent_saves_nothing(place: Place) -> None:
    vault = place.new({"a": {"n": 0}})
    pid = 1
    try:
        with vault.transaction() as records:
            pid = fork()
            if pid == 0:
                records["a"]["n"] = 666
            else:
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                records["a"]["n"] = 1
    except VaultError:
        assert pid == 0
    finally:
        if pid == 0:
            os._exit(0)
    assert place.open()["a"] == {"n": 1}


def test_a_fork_while_another_thread_opens_does_not_hang_the_child(path: Path) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    with held_by_a_thread(vault._versions._here.lock):
        pid = fork()
        if pid == 0:
            os._exit(0 if vault["a"] == {"n": 1} else 1)
        deadline = time.monotonic() + 60
        status: tuple[int, int] = (0, 0)
        while status[0] == 0 and time.monotonic() < deadline:
            status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
    if status[0] == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert status == (pid, 0)


def test_the_login_lock_is_one_for_all_handles(place: Place) -> None:
    vault, other = place.new(), place.open()
    lock, same, elsewhere = (v.login_lock("a") for v in (vault, vault, other))
    assert lock.try_acquire()
    assert lock.try_acquire(), "it is held already"
    assert not same.try_acquire()
    assert not elsewhere.try_acquire()
    assert str(os.getpid()) in (elsewhere.holder() or "")
    with vault.transaction(lock=lock) as records:
        records["a"] = {"n": 1}
    lock.release()
    lock.release()
    assert elsewhere.try_acquire()
    elsewhere.release()
    assert vault["a"] == {"n": 1}


@pytest.mark.parametrize("salted", [False, True])
def test_a_login_lock_of_a_vault_rekeyed_meanwhile_is_taken_only_where_it_stays_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, salted: bool
) -> None:
    vault, other = new_vault(path), reopened(path)
    if not salted:
        # As an older vault: the name of the lock is an HMAC under the key.
        with vault._versions.writing(1) as (writer, state):
            payload = envelope.Payload(state.payload.records, state.payload.attempts)
            header = vault._versions.next_header(state.header)
            vault._versions.save(writer, header, payload, state.vault_key)
    lock_of = FileStore.login_lock
    rotations: list[int] = []

    def rekeyed(self: FileStore, tag: bytes) -> object:
        if not rotations:
            rotations.append(1)
            other.rotate()
        return lock_of(self, tag)

    monkeypatch.setattr(FileStore, "login_lock", rekeyed)
    lock = vault.login_lock("a")
    assert lock.try_acquire() is salted
    assert rotations
    assert lock.try_acquire()
    lock.release()


def test_no_name_and_no_content_can_be_seen_in_the_store(place: Place) -> None:
    record = {"session_cookie": "c4n4ry", "expires_at": "2999-01-01T00:00:00Z"}
    vault = place.new({"maple_ink": record})
    lock = vault.login_lock("maple_ink")
    assert lock.try_acquire()
    with vault.transaction(lock=lock) as records:
        records["maple_ink"]["auth_token"] = "t0k3n"
        records.attempts["maple_ink"] = {"until": versions.epoch_now() + 60}
    vault.rotate()
    seen = place.everything()
    lock.release()
    assert seen
    for secret in (b"maple", b"c4n4ry", b"t0k3n", KEY, b"maple_ink".hex().encode()):
        assert secret not in seen
    assert vault["maple_ink"]["auth_token"] == "t0k3n"
