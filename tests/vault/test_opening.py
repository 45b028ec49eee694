"""Opening, making and closing a vault, and what its errors say."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    AmbiguousKeyError,
    KeyRequiredError,
    KeySourceError,
    ValidationError,
    VaultCorruptError,
    VaultError,
    VaultFormatError,
    VaultNotFoundError,
    VaultPermissionError,
    VaultRollbackError,
    VaultVersionError,
    WrongKeyError,
)
from interpal.vault import KdfParameters, Vault
from interpal.vault.keys import sources
from interpal.vault.stores.file import FileStore
from tests.children import Children
from tests.format.opening import load_vectors
from tests.vault import CHEAP, KEY, OTHER_KEY, Counted, new_vault, reopened, told

if TYPE_CHECKING:
    from tests.vault.places import Place


def test_a_new_vault_is_empty_and_of_generation_1(path: Path) -> None:
    with new_vault(path) as vault:
        assert vault.generation == 1
        assert dict(vault) == {}
        assert len(vault.id) == 16
        assert [slot.kid for slot in vault.slots] == ["slot-1"]
        assert vault.opened_slot == vault.slots[0]
        assert vault.key_source == "argument"
        assert vault.path == str(path)
        assert vault.slots[0].kdf == CHEAP
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_vault_for_a_key_needs_no_argon2id(path: Path, derivations: Counted) -> None:
    vault = Vault.open(path, key=KEY, create=True)
    vault["a"] = {"n": 1}
    assert Vault.open(path, key=KEY.hex())["a"] == {"n": 1}
    assert derivations.calls == 0
    assert vault.slots[0].kdf is None


def test_the_default_cost_is_the_second_recommended_of_rfc_9106(path: Path) -> None:
    vault = Vault.open(path, passphrase="x", create=True)
    assert vault.slots[0].kdf == KdfParameters(65536, 3, 4)


def test_create_opens_what_is_there(path: Path) -> None:
    new_vault(path, {"a": {"n": 1}})
    vault = Vault.open(path, passphrase="correct horse", create=True)
    assert vault["a"] == {"n": 1}
    assert vault.generation == 2


def test_without_create_nothing_is_made(place: Place) -> None:
    with pytest.raises(VaultNotFoundError, match="create=True"):
        place.open()
    with pytest.raises(VaultNotFoundError):
        place.open(create=True, min_generation=2)
    assert place.names() == []


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(VaultNotFoundError) as caught:
        Vault.open(path, passphrase="x")
    assert caught.value.path == str(path)


def test_the_shortest_program_makes_a_key_file_and_uses_it_again(path: Path) -> None:
    vault = Vault.open(path, create=True)
    vault["a"] = {"n": 1}
    key_file = Path(sources.default_key_path())
    assert vault.key_source == f"key file {key_file}"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert Vault.open(path)["a"] == {"n": 1}
    key_file.unlink()
    before = path.read_bytes()
    with pytest.raises(KeyRequiredError, match=str(key_file)):
        Vault.open(path, create=True)
    assert not key_file.exists(), "where a vault exists it is never made"
    assert path.read_bytes() == before


def test_a_wrong_secret_changes_nothing(path: Path) -> None:
    new_vault(path, {"a": {"n": 1}})
    before = path.read_bytes(), path.stat().st_mtime_ns
    for create in (False, True):
        with pytest.raises(WrongKeyError):
            Vault.open(path, passphrase="wrong", create=create)
    with pytest.raises(KeyRequiredError, match="opens only with a passphrase"):
        Vault.open(path, key=KEY)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_wrong_key_or_a_passphrase_opens_no_vault_of_a_key(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    before = place.saved()
    for create in (False, True):
        with pytest.raises(KeyRequiredError, match="opens only with a key"):
            place.open(passphrase="x", create=create)
        with pytest.raises(WrongKeyError) as caught:
            place.open(key=OTHER_KEY, create=create)
        assert caught.value.path == vault.path
    assert place.saved() == before
    assert dict(vault) == {"a": {"n": 1}}


@pytest.mark.parametrize("passphrase", ["correct horse", "cafe\u0301", "a\tb", "x" * 4096, " "])
def test_any_passphrase_opens_what_it_made(path: Path, passphrase: str) -> None:
    Vault.open(path, passphrase=passphrase, create=True, kdf=CHEAP)["a"] = {"n": 1}
    assert Vault.open(path, passphrase=passphrase)["a"] == {"n": 1}
    for other in (passphrase + " ", passphrase[:-1] + "c"):
        with pytest.raises((WrongKeyError, ValidationError)):
            Vault.open(path, passphrase=other)


def test_a_passphrase_is_the_same_in_both_normal_forms(path: Path) -> None:
    Vault.open(path, passphrase="cafe\u0301", create=True, kdf=CHEAP)["a"] = {"n": 1}
    assert Vault.open(path, passphrase="caf\u00e9")["a"] == {"n": 1}


@pytest.mark.parametrize("passphrase", ["", "\ud800", "x" * 5000, b"bytes", 7])
def test_what_is_no_passphrase_is_a_validation_error(path: Path, passphrase: Any) -> None:
    for secret in (passphrase, lambda: passphrase):
        with pytest.raises(ValidationError, match="passphrase"):
            Vault.open(path, passphrase=secret, create=True, kdf=CHEAP)
    assert not path.exists()


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, "", "x", "00 " * 32, 7, KEY[:31].hex()])
def test_what_is_no_key_is_a_key_source_error(path: Path, key: Any) -> None:
    with pytest.raises(KeySourceError) as caught:
        Vault.open(path, key=key, create=True)
    assert caught.value.path == str(path)
    assert not path.exists()


def test_a_passphrase_and_a_key_at_once_are_an_error(path: Path) -> None:
    with pytest.raises(AmbiguousKeyError) as caught:
        Vault.open(path, passphrase="pass-c4n4ry", key="key-c4n4ry")
    assert "c4n4ry" not in told(caught.value)


def test_a_callable_is_asked_when_the_passphrase_is_needed_and_once(path: Path) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        return "correct horse"

    with pytest.raises(VaultNotFoundError):
        Vault.open(path, passphrase=ask)
    assert not asked
    vault = Vault.open(path, passphrase=ask, create=True, kdf=CHEAP)
    vault["a"] = {}
    vault["b"] = {}
    assert asked == [1]


@pytest.mark.parametrize(
    ("kdf", "name"),
    [
        (KdfParameters(1024, 1, 1), "weak"),
        (KdfParameters(19456, 1, 1), "weak"),
        (KdfParameters(2**21, 3, 4), "m is not within"),
        (KdfParameters(65536, 17, 1), "t is not within"),
        ((8, 1, 1), "KdfParameters"),
    ],
)
def test_a_cost_that_is_none_is_refused(path: Path, kdf: Any, name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Vault.open(path, passphrase="x", create=True, kdf=kdf)
    assert not path.exists()


def test_a_cost_is_not_for_a_key(path: Path) -> None:
    with pytest.raises(ValidationError, match="kdf"):
        Vault.open(path, key=KEY, create=True, kdf=CHEAP)


def test_argon2id_runs_once_however_many_reads_and_saves_follow(
    path: Path, derivations: Counted
) -> None:
    vault = new_vault(path)
    assert derivations.calls == 1
    for number in range(20):
        vault["a"] = {"n": number}
        assert vault["a"] == {"n": number}
    other = reopened(path)
    for number in range(20):
        other["b"] = {"n": number}
        assert vault["b"] == {"n": number}
    assert derivations.calls == 2


def test_two_threads_that_open_at_once_derive_once(path: Path, derivations: Counted) -> None:
    new_vault(path, {"a": {"n": 1}}).close()
    vault = Vault(FileStore(path), sources.passphrase_argument("correct horse"))
    derivations.calls = 0
    barrier, seen = threading.Barrier(8), []

    def read() -> None:
        barrier.wait()
        seen.append(dict(vault["a"]))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [{"n": 1}] * 8
    assert derivations.calls == 1


def test_a_generation_that_was_seen_before_is_insisted_on(path: Path) -> None:
    vault = new_vault(path)
    old = path.read_bytes()
    vault["a"] = {"n": 1}
    seen = vault.generation
    assert Vault.open(path, passphrase="correct horse", min_generation=seen).generation == seen
    path.write_bytes(old)
    with pytest.raises(VaultRollbackError) as caught:
        Vault.open(path, passphrase="correct horse", min_generation=seen)
    assert (caught.value.generation, caught.value.minimum) == (1, seen)
    assert caught.value.path == str(path)
    assert str(caught.value).count(str(path)) == 1
    assert dict(reopened(path)) == {}, "without it an old copy is accepted"
    path.unlink()
    with pytest.raises(VaultNotFoundError):
        Vault.open(path, passphrase="correct horse", create=True, min_generation=seen)
    assert not path.exists(), "what was seen before is not made anew, empty"


def errors_of_opening(path: Path) -> list[VaultError]:
    new_vault(path, {"a": {"n": 1}})
    good = path.read_bytes()
    vectors = load_vectors()
    cases: list[tuple[bytes, dict[str, Any]]] = [
        (good, {"passphrase": "wrong"}),
        (good, {"key": KEY}),
        (good, {}),
        (b"{}", {"passphrase": "x"}),
        (good[: len(good) // 2], {"passphrase": "correct horse"}),
        (good.replace(b'"tag":"', b'"tag":"AAAA')[:-9] + b'"}\n', {"passphrase": "correct horse"}),
    ]
    for name in ("ciphertext-flipped", "memory-too-large", "version-2", "wrong-commitment"):
        vector = vectors[name]
        secret = {kind: value for kind, value in vector.items() if kind in ("passphrase", "key")}
        cases.append((vector["file"].encode(), secret))
    found: list[VaultError] = []
    for data, arguments in cases:
        path.write_bytes(data)
        with pytest.raises(VaultError) as caught:
            Vault.open(path, **arguments)
        found.append(caught.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(VaultPermissionError) as insecure:
        Vault.open(path, passphrase="x")
    return [*found, insecure.value]


def test_every_error_has_the_path_once_in_its_text(path: Path) -> None:
    found = errors_of_opening(path)
    kinds = {type(error) for error in found}
    assert {WrongKeyError, KeyRequiredError, VaultFormatError, VaultCorruptError} <= kinds
    assert VaultVersionError in kinds
    for error in found:
        assert error.path == str(path), error
        assert str(error).count(str(path)) == 1, error


def test_no_error_shows_the_secret_even_with_local_variables(path: Path) -> None:
    Vault.open(path, passphrase="right-c4n4ry", create=True, kdf=CHEAP)["a"] = {"x": "c4n4ry"}
    with pytest.raises(WrongKeyError) as wrong:
        Vault.open(path, passphrase="wrong-c4n4ry")
    data = bytearray(path.read_bytes())
    data[data.index(b'"ciphertext":"') + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises((VaultCorruptError, VaultFormatError)) as corrupt:
        Vault.open(path, passphrase="right-c4n4ry")
    with pytest.raises(KeySourceError) as no_key:
        Vault.open(path, key="no-key-c4n4ry")
    for caught in (wrong, corrupt, no_key):
        assert "c4n4ry" not in told(caught.value)


def test_a_closed_vault_says_so(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    with vault:
        pass
    vault.close()
    before = place.saved()
    uses: list[Any] = [
        lambda: vault["a"],
        lambda: len(vault),
        lambda: list(vault),
        lambda: list(vault.walk()),
        lambda: vault.slots,
        lambda: vault.__setitem__("a", {}),
        lambda: vault.start(create=True),
        lambda: vault.login_lock("a").try_acquire(),
        vault.snapshot,
        vault.rotate,
        vault.remove_file,
        vault.set_aside_if_corrupt,
    ]
    for use in uses:
        with pytest.raises(VaultError, match="was closed") as caught:
            use()
        assert caught.value.path == vault.path
    assert place.saved() == before


def test_a_vault_cannot_be_pickled_or_copied(path: Path) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    for thing in (vault, vault._versions._state, vault._opener):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        assert "correct horse" not in repr(thing)
    for make in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            make(vault)


def test_eight_processes_that_make_a_vault_at_once_make_one(place: Place) -> None:
    settings: dict[str, Any] = {"passphrase": "correct horse", "lock_timeout": 60}

    def work(index: int) -> None:
        with place.open(create=True, kdf=CHEAP, **settings) as vault:
            vault[f"process-{index}"] = {"id": vault.id.hex()}

    assert Children(8, work).codes() == [0] * 8
    records = dict(place.open(**settings))
    assert len(records) == 8
    assert len({record["id"] for record in records.values()}) == 1


def test_eight_processes_with_the_users_key_file_make_one_key(path: Path) -> None:
    def work(index: int) -> None:
        with Vault.open(path, create=True) as vault:
            vault[f"process-{index}"] = {"n": index}

    assert Children(8, work).codes() == [0] * 8
    assert len(Vault.open(path)) == 8


def test_a_file_to_be_replaced_is_replaced_only_if_it_is_still_there(path: Path) -> None:
    path.write_bytes(b"plain")
    path.chmod(0o600)
    store = FileStore(path)
    seen = store.load()
    path.write_bytes(b"other")
    vault = Vault(store, sources.explicit_source(key=KEY))
    with pytest.raises(VaultFormatError):
        vault.start(create=True, records={"a": {}}, replacing=seen)
    assert path.read_bytes() == b"other"
    mine = {"n": 1}
    assert vault.start(create=True, records={"a": mine}, replacing=store.load())
    mine["n"] = 2
    assert vault["a"] == {"n": 1} == Vault.open(path, key=KEY)["a"]
    assert not vault.start(create=True)


def test_an_empty_vault_with_one_slot_can_be_taken_away(place: Place) -> None:
    vault = place.new({"a": {"n": 1}})
    vault.remove_file()
    assert dict(vault) == {"a": {"n": 1}}, "it holds a record"
    del vault["a"]
    vault.add_slot(key=OTHER_KEY)
    vault.remove_file()
    assert len(vault.slots) == 2
    vault.remove_slot("slot-2")
    vault.remove_file()
    assert place.saved() is None
    with pytest.raises(VaultNotFoundError):
        place.open()
    vault.remove_file()
    assert dict(place.open(create=True)) == {}


def test_a_corrupt_vault_is_set_aside_and_a_good_one_is_not(
    path: Path, derivations: Counted
) -> None:
    vault = new_vault(path, {"a": {"n": 1}})
    good = path.read_bytes()
    assert vault.set_aside_if_corrupt() is None
    start = good.index(b'"ciphertext":"') + 14
    path.write_bytes(good[:start] + good[start : start + 8][::-1] + good[start + 8 :])
    fresh = Vault(FileStore(path), sources.passphrase_argument("correct horse"))
    derivations.calls = 0
    with pytest.raises(VaultCorruptError):
        fresh.start()
    moved = fresh.set_aside_if_corrupt()
    assert derivations.calls == 1
    assert moved is not None
    assert moved.startswith(f"{path}.corrupt-")
    assert not path.exists()
    assert fresh.set_aside_if_corrupt() is None


def test_a_wrong_key_never_sets_a_vault_aside(path: Path) -> None:
    new_vault(path)
    vault = Vault(FileStore(path), sources.passphrase_argument("wrong"))
    with pytest.raises(WrongKeyError):
        vault.set_aside_if_corrupt()
    assert path.exists()
