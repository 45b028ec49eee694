"""The backend for keyring: its published contract, in every store, and what only it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keyring
import pytest
from keyring.backend import KeyringBackend, get_all_keyring
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError
from keyring.testing.backend import BackendBasicTests

from interpal.bridges import keyring_backend
from interpal.bridges.keyring_backend import VaultKeyring
from interpal.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.redis_server import RedisServer

KEY = bytes(range(32)).hex()
BACKEND = "interpal.bridges.keyring_backend.VaultKeyring"
# Each costs a third of a million instructions, before a secret is read.
MOST_MODULES = 35
COMMAND = str(Path(sys.executable).parent / "keyring")


@pytest.fixture(autouse=True)
def _no_vaults_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(keyring_backend, "_opened", {})
    monkeypatch.setenv("INTERPALS_VAULT_KEY", KEY)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class Contract(BackendBasicTests):
    """keyring's own tests of a backend."""

    place: ClassVar[str] = ""

    def init_keyring(self) -> VaultKeyring:
        backend = VaultKeyring()
        backend.vault = type(self).place
        return backend


class TestInAFile(Contract):
    @pytest.fixture(autouse=True)
    def _init_properties(self, request: Any, tmp_path: Path) -> None:
        type(self).place = str(tmp_path / "vault.json")
        _begin(self, request)


class TestInSqlite(Contract):
    @pytest.fixture(autouse=True)
    def _init_properties(self, request: Any, tmp_path: Path) -> None:
        type(self).place = f"sqlite:{tmp_path / 'vault.db'}"
        _begin(self, request)


class TestInRedis(Contract):
    @pytest.fixture(autouse=True)
    def _init_properties(self, request: Any, redis_server: RedisServer) -> None:
        type(self).place = redis_server.url()
        _begin(self, request)


def _begin(test: Any, request: Any) -> None:
    test.keyring = test.init_keyring()
    test.credentials_created = set()
    request.addfinalizer(test.cleanup)


def in_file(tmp_path: Path) -> VaultKeyring:
    backend = VaultKeyring()
    backend.vault = tmp_path / "vault.json"
    return backend


def command(
    *arguments: str, typed: str = "", backend: str = BACKEND, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON_KEYRING_BACKEND": backend, **environment},
        start_new_session=True,
    )


def test_it_is_below_every_other_backend_and_never_chosen_by_itself() -> None:
    others = [one for one in get_all_keyring() if not isinstance(one, VaultKeyring)]
    assert any(isinstance(one, VaultKeyring) for one in get_all_keyring())
    nothing = {"keyring.backends.null", "keyring.backends.fail"}
    real = [one for one in others if type(one).__module__ not in nothing]
    assert all(type(one).priority > VaultKeyring.priority for one in real)
    script = "import keyring; print(type(keyring.get_keyring()).__module__)"
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON_KEYRING", "KEYRING"))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=plain)
    assert "interpal" not in done.stdout, done.stdout


def test_the_command_of_keyring_keeps_a_secret_without_a_screen(tmp_path: Path) -> None:
    listed = command("--list-backends")
    assert f"{BACKEND} (priority: -2)" in listed.stdout
    place = {"KEYRING_PROPERTY_VAULT": str(tmp_path / "vault.json")}
    assert command("set", "mail", "ann", typed="correct horse\n", **place).returncode == 0
    assert command("get", "mail", "ann", **place).stdout == "correct horse\n"
    assert b"correct horse" not in (tmp_path / "vault.json").read_bytes()
    assert command("del", "mail", "ann", **place).returncode == 0
    assert command("get", "mail", "ann", **place).returncode == 1


def test_without_a_place_it_is_in_the_data_folder_of_keyring(tmp_path: Path) -> None:
    VaultKeyring().set_password("mail", "ann", "secret")
    assert (tmp_path / "data" / "python_keyring" / "vault.json").exists()


def test_the_key_is_derived_once_in_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argon2 import low_level

    monkeypatch.delenv("INTERPALS_VAULT_KEY")
    monkeypatch.setenv("INTERPALS_VAULT_PASSPHRASE", "correct horse")
    in_file(tmp_path).set_password("mail", "ann", "secret")
    monkeypatch.setattr(keyring_backend, "_opened", {})
    derived = []
    derive = low_level.hash_secret_raw

    def count(*arguments: Any, **settings: Any) -> bytes:
        derived.append(1)
        return derive(*arguments, **settings)

    monkeypatch.setattr(low_level, "hash_secret_raw", count)
    for number in range(3):
        assert in_file(tmp_path).get_password("mail", "ann") == "secret"
        in_file(tmp_path).set_password("mail", f"bob {number}", "secret")
    assert len(derived) == 1


def test_a_key_from_keyring_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERPALS_VAULT_KEY")
    monkeypatch.setenv("INTERPALS_VAULT_KEYRING", "vault/me")
    backend = in_file(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: backend.get_password("mail", "ann"),
        lambda: backend.set_password("mail", "ann", "secret"),
        lambda: backend.delete_password("mail", "ann"),
    ]
    for call in calls:
        with pytest.raises(KeyringLocked, match="cannot come from keyring"):
            call()
    assert not (tmp_path / "vault.json").exists()


def test_what_goes_wrong_is_an_error_of_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = in_file(tmp_path)
    with pytest.raises(PasswordDeleteError):
        backend.delete_password("mail", "ann")
    with pytest.raises(PasswordSetError):
        backend.set_password("mail", "ann", "x" * 70_000)
    backend.set_password("mail", "ann", "secret")
    monkeypatch.setattr(keyring_backend, "_opened", {})
    monkeypatch.setenv("INTERPALS_VAULT_KEY", bytes(32).hex())
    with pytest.raises(KeyringLocked):
        backend.get_password("mail", "ann")
    (tmp_path / "vault.json").write_text("{}")
    monkeypatch.setattr(keyring_backend, "_opened", {})
    with pytest.raises(KeyringError):
        backend.get_password("mail", "ann")


def test_any_user_of_a_service_is_found(tmp_path: Path) -> None:
    backend = in_file(tmp_path)
    assert backend.get_credential("mail", None) is None
    backend.set_password("mailbox", "eve", "other")
    backend.set_password("mail", "ann", "secret")
    found = backend.get_credential("mail", None)
    assert found is not None
    assert (found.username, found.password) == ("ann", "secret")
    assert backend.get_credential("mail", "bob") is None


def test_long_names_are_kept_apart(tmp_path: Path) -> None:
    backend = in_file(tmp_path)
    for end in "ab":
        backend.set_password("x" * 5000 + end, "ann", end)
    assert [backend.get_password("x" * 5000 + end, "ann") for end in "ab"] == ["a", "b"]


def test_a_vault_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    backend = in_file(tmp_path)
    backend.set_password("mail", "ann", "secret")
    (tmp_path / "vault.json").unlink()
    assert backend.get_password("mail", "ann") is None
    backend.set_password("mail", "bob", "secret")
    assert backend.get_password("mail", "bob") == "secret"


SAVER = """
import sys
from interpal.bridges.keyring_backend import VaultKeyring
backend = VaultKeyring()
for number in range(100):
    backend.set_password("mail", f"{sys.argv[1]} {number}", f"secret {number}")
"""


def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    place = tmp_path / "vault.json"
    environment = {**os.environ, "KEYRING_PROPERTY_VAULT": str(place)}

    def save(number: int) -> int:
        arguments = [sys.executable, "-c", SAVER, str(number)]
        return subprocess.run(arguments, env=environment, check=False).returncode

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(save, range(8))) == [0] * 8
    with Vault.open(place, key=KEY) as vault:
        assert len(vault) == 800


def test_a_read_loads_only_the_half_that_reads(tmp_path: Path) -> None:
    in_file(tmp_path).set_password("mail", "ann", "secret")
    script = """
import keyring, sys
assert keyring.get_password("mail", "ann") == "secret"
print(*(name for name in sys.modules if name.startswith("interpal.") or name == "argon2"))
"""
    place = {"KEYRING_PROPERTY_VAULT": str(tmp_path / "vault.json")}
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": BACKEND, **place}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    loaded = done.stdout.split()
    assert len(loaded) <= MOST_MODULES
    parts = {".".join(name.split(".")[:2]) for name in loaded}
    assert not parts & {"argon2", "interpal.client", "interpal.flows", "interpal.sessions"}
    others = {"interpal.vault.keys.rekey", "interpal.vault.stores.base", "interpal.vault.hardening"}
    assert not others & set(loaded)


def test_it_says_what_it_is() -> None:
    assert issubclass(VaultKeyring, KeyringBackend)
    assert keyring.core.load_keyring(BACKEND) is not None
    assert "secret" not in repr(VaultKeyring())
