"""The login locks of a vault: one for each account, at a place that nothing moves."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from interpal.vault.files import locks
from interpal.vault.format import envelope

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
NAMES = [f"user{number}" for number in range(200)]

HOLDER = """
import sys
from interpal.vault import Vault
vault = Vault.open(sys.argv[1], key=bytes(range(32)))
lock = vault.login_lock(sys.argv[2])
assert lock.try_acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["file", "sqlite"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    return Vault.open(f"{request.param}:{tmp_path}/v.db", key=KEY, create=True)


def test_each_account_has_a_lock_of_its_own(vault: Vault) -> None:
    held = [vault.login_lock(name) for name in NAMES]
    assert all(lock.try_acquire() for lock in held)
    assert not any(vault.login_lock(name).try_acquire() for name in NAMES)
    held[7].release()
    assert vault.login_lock(NAMES[7]).try_acquire()
    for lock in held:
        lock.release()


def test_the_folder_of_the_locks_tells_nothing_of_the_accounts(
    vault: Vault, tmp_path: Path
) -> None:
    before = None
    for name in NAMES[:20]:
        lock = vault.login_lock(name)
        assert lock.try_acquire()
        found = {path.name: path.stat().st_size for path in tmp_path.rglob("login*")}
        assert found == (before or found) == {"login.lock": 0}
        before = found
        lock.release()


def test_a_rotation_leaves_a_lock_where_it_is(vault: Vault) -> None:
    held = vault.login_lock("maple_ink")
    assert held.try_acquire()
    before = vault.login_lock("maple_ink")
    vault.rotate()
    assert not before.try_acquire()
    assert not vault.login_lock("maple_ink").try_acquire()
    assert vault.login_lock("pedro_k").try_acquire()
    held.release()
    assert before.try_acquire()
    before.release()


def test_the_file_stays_while_somebody_logs_in(vault: Vault) -> None:
    lock = vault.login_lock("pedro_k")
    assert lock.try_acquire()
    salt = vault._read().payload.salt
    vault.remove_file()
    assert vault._read().payload.salt == salt
    assert not vault.login_lock("pedro_k").try_acquire()
    lock.release()
    vault.remove_file()
    assert vault._versions.load() is None


def test_who_holds_a_lock_is_told_by_the_system(vault: Vault) -> None:
    other = vault.login_lock("pedro_k")
    assert other.try_acquire()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, vault.path, "maple_ink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        lock = vault.login_lock("maple_ink")
        assert not lock.try_acquire()
        assert lock.holder() == str(process.pid)
        again = vault.login_lock("pedro_k")
        assert not again.try_acquire()
        assert again.holder() == str(os.getpid())
        process.kill()
        process.communicate()
    # Its end has freed the lock.
    assert lock.try_acquire()
    lock.release()
    assert lock.holder() is None


def test_a_vault_of_before_gets_its_salt_once(vault: Vault) -> None:
    with vault._versions.writing(1) as (writer, state):
        payload = envelope.Payload(state.payload.records, state.payload.attempts)
        header = vault._versions.next_header(state.header)
        vault._versions.save(writer, header, payload, state.vault_key)
    assert vault._read().payload.salt is None
    assert vault.login_lock("maple_ink").try_acquire()
    vault.ensure_salt()
    salt = vault._read().payload.salt
    assert salt is not None
    generation = vault.generation
    vault.ensure_salt()
    assert (vault._read().payload.salt, vault.generation) == (salt, generation)


def test_the_place_of_a_lock_is_an_hmac_under_the_salt() -> None:
    # By `hmac.new(bytes(16), b"interpal-vault/1 login maple_ink", "sha256")`.
    assert envelope.lock_tag(bytes(16), "maple_ink").hex() == (
        "a2af2b681e377a232dbe61d3cea94be7be9bec7cd11068d53923ce31b926e25a"
    )


@pytest.mark.parametrize("system", ["an older Linux", "macOS"])
def test_where_the_system_has_no_such_locks_there_are_sixteen_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    if system == "macOS":
        monkeypatch.setattr(sys, "platform", "darwin")
    else:
        monkeypatch.delattr(fcntl, "F_OFD_SETLK")
        monkeypatch.delattr(fcntl, "F_OFD_GETLK")
    path = str(tmp_path / "v.json")
    lock = locks.login_lock(path, bytes([17]) + bytes(31))
    assert lock.try_acquire()
    assert not locks.login_lock(path, bytes([1]) + bytes(31)).try_acquire()
    assert lock.holder() == str(os.getpid())
    assert lock.path.endswith("login-01.lock")
    assert not locks.is_login_under_way(path), "nobody can tell"
    lock.release()
