"""What may lie where the vault is expected (steps 1 and 2 of the resume table)."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import (
    InterpalException,
    VaultCorruptError,
    VaultFormatError,
    VaultLimitError,
    VaultPermissionError,
    VaultVersionError,
)
from interpal.vault.format import envelope, jwe
from interpal.vault.stores.file import FileStore
from tests.helpers import SELF, export_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers import Driver, Place


def truncated(place: Place) -> bytes:
    return place.bytes[: len(place.bytes) // 2]


def flipped(place: Place) -> bytes:
    """A vault whose slot opens and whose content does not."""
    parsed = json.loads(place.bytes)
    first = parsed["ciphertext"][0]
    parsed["ciphertext"] = ("A" if first != "A" else "B") + parsed["ciphertext"][1:]
    return json.dumps(parsed).encode()


DAMAGES: dict[str, Callable[[Place], bytes]] = {
    "empty": lambda _place: b"",
    "blank": lambda _place: b"\0" * 512,
    "truncated": truncated,
    "truncated-1.x": lambda _place: b'{\n  "session_cookie": "abc123',
    "corrupt": flipped,
}


def leftovers(place: Place) -> list[str]:
    return [path.name for path in place.folder.iterdir() if ".corrupt-" in path.name]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vault_is_set_aside_and_a_login_follows(
    driver: Driver, place: Place, damage: str
) -> None:
    place.save()
    content = DAMAGES[damage](place)
    place.path.write_bytes(content)
    client = driver.open(**place.settings())
    assert client.persisted
    assert place.logins == 2
    [aside] = leftovers(place)
    assert aside.startswith("v.json.corrupt-")
    assert (place.folder / aside).read_bytes() == content
    assert (place.folder / aside).stat().st_mode & 0o777 == 0o600
    assert place.told == ["quarantined", "login_started", "logged_in", "saved"]
    assert place.record()["session_cookie"] == client.session.session_cookie


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vault_without_credentials_is_set_aside_and_told(
    driver: Driver, place: Place, damage: str
) -> None:
    place.save()
    content = DAMAGES[damage](place)
    place.path.write_bytes(content)
    with pytest.raises(VaultCorruptError, match="set aside as") as caught:
        driver.open(**place.settings(password=None))
    assert caught.value.path == str(place.path)
    [aside] = leftovers(place)
    assert (place.folder / aside).read_bytes() == content
    assert not place.path.exists()


def test_reading_the_info_of_a_damaged_vault_moves_nothing(driver: Driver, place: Place) -> None:
    place.save()
    client = driver.open(**place.settings())
    place.path.write_bytes(flipped(place))
    before = place.snapshot()
    with pytest.raises(VaultCorruptError):
        driver.run(client, "get_session_info")
    assert place.snapshot() == before


def versioned(place: Place, version: int) -> bytes:
    parsed = json.loads(place.bytes)
    header = json.loads(jwe.b64decode(parsed["protected"]))
    header["vault"]["version"] = version
    parsed["protected"] = jwe.b64encode(json.dumps(header).encode())
    return json.dumps(parsed).encode()


UNTOUCHED: dict[str, tuple[Callable[[Place], bytes], type[InterpalException]]] = {
    "package.json": (lambda _: b'{"name": "bot", "version": "1.0.0"}', VaultFormatError),
    "list": (lambda _: b"[1, 2, 3]", VaultFormatError),
    "text": (lambda _: b"# notes\nbuy milk\n", VaultFormatError),
    "binary": (lambda _: bytes(range(256)), VaultFormatError),
    "other-jwe": (lambda _: b'{"protected": "e30", "ciphertext": ""}', VaultFormatError),
    "newer": (lambda place: versioned(place, 2), VaultVersionError),
}


@pytest.mark.parametrize("kind", UNTOUCHED)
def test_what_is_no_vault_is_refused_and_untouched(driver: Driver, place: Place, kind: str) -> None:
    place.save()
    make, error = UNTOUCHED[kind]
    place.path.write_bytes(make(place))
    before = place.snapshot()
    variants: list[dict[str, Any]] = [{}, {"password": None}, {"auto_login": False}]
    for settings in variants:
        with pytest.raises(error) as caught:
            driver.open(**place.settings(**settings))
        assert str(place.path) in str(caught.value)
    assert place.snapshot() == before
    assert place.requests(SELF) == 0
    assert place.logins == 1


def test_a_header_over_its_limit_is_refused_and_untouched(driver: Driver, place: Place) -> None:
    protected = jwe.b64encode(b'{"typ":"interpal-vault","alg":"' + b"x" * 70_000 + b'"}')
    place.path.write_bytes(json.dumps({"protected": protected}).encode())
    before = place.snapshot()
    with pytest.raises((VaultLimitError, VaultFormatError)):
        driver.open(**place.settings())
    assert place.snapshot() == before


@pytest.mark.parametrize("beginning", ["the vault", "nothing"])
def test_a_vault_that_is_too_large_is_refused_and_no_login_replaces_it(
    driver: Driver, place: Place, beginning: str
) -> None:
    place.save()
    if beginning == "nothing":
        place.path.write_bytes(b"")
    # A file with a hole, which takes no room on the disk.
    os.truncate(place.path, 64 * 2**20 + 1)
    before = place.path.stat()
    variants: list[dict[str, Any]] = [{}, {"password": None}, {"auto_login": False}]
    for settings in variants:
        with pytest.raises(VaultLimitError, match=r"67,108,865 bytes.*64 MiB.*max_size=") as caught:
            driver.open(**place.settings(**settings))
        assert caught.value.path == str(place.path)
    after = place.path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert leftovers(place) == []
    assert place.requests(SELF) == 0
    assert place.logins == 1


def test_a_vault_without_room_for_a_session_is_told_before_a_login(
    driver: Driver, place: Place
) -> None:
    place.save()
    vault = place.bytes
    store = FileStore(place.path, max_size=len(vault) + 100)
    for _ in range(2):
        with pytest.raises(VaultLimitError, match=r"open_store\(…, max_size=…\) .* client"):
            driver.open(**place.settings("pedro_k", session_file=None, store=store))
    assert place.attempts == place.logins == 1
    assert place.bytes == vault
    # The session that is there can be replaced by the next one.
    place.site.invalidate()
    client = driver.open(**place.settings(session_file=None, store=store, revalidate_after=0))
    assert client.persisted
    assert place.logins == 2


def test_a_session_that_a_vault_has_no_room_for_is_not_imported(
    driver: Driver, place: Place
) -> None:
    place.save()
    vault, session = place.bytes, export_of(place.log_in("pedro_k"))
    store = FileStore(place.path, max_size=len(vault) + 100)
    client = driver.open(
        **place.settings("pedro_k", session_file=None, store=store, auto_login=False)
    )
    with pytest.raises(VaultLimitError, match="Nothing was changed"):
        driver.run(client, "import_session", session)
    assert client.session is None
    assert place.bytes == vault


def test_a_session_that_makes_a_vault_too_large_later_is_used_and_not_saved(
    driver: Driver, place: Place
) -> None:
    store = FileStore(place.path, max_size=3000)
    client = driver.open(**place.settings(session_file=None, store=store))
    with place.vault() as vault, vault.transaction() as records:
        del records["maple_ink"]
        records["other"] = {"note": "x" * 1000}
    place.site.invalidate()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert not client.persisted
    assert "save_failed" in place.told


def make_folder(place: Place) -> None:
    place.path.mkdir()


def make_fifo(place: Place) -> None:
    os.mkfifo(place.path)


def make_symlink(place: Place) -> None:
    target = place.folder / "real.json"
    target.write_text("{}")
    place.path.symlink_to(target)


def make_dangling(place: Place) -> None:
    place.path.symlink_to(place.folder / "nothing")


def make_device(place: Place) -> None:
    os.mknod(place.path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def make_socket(place: Place) -> None:
    os.chdir(place.folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("v.json")


KINDS = [make_folder, make_fifo, make_symlink, make_dangling, make_socket]
if os.geteuid() == 0:
    KINDS.append(make_device)


@pytest.mark.parametrize("make", KINDS)
def test_what_is_no_file_is_refused_at_once(
    driver: Driver, place: Place, make: Callable[[Place], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    make(place)
    before = place.path.lstat()
    with pytest.raises((VaultPermissionError, VaultFormatError)) as caught:
        driver.open(**place.settings())
    assert str(place.path) in str(caught.value)
    assert place.path.lstat().st_ino == before.st_ino
    assert place.attempts == 0


def test_a_vault_that_is_removed_in_mid_run_is_made_again_at_the_next_login(
    driver: Driver, place: Place
) -> None:
    client = driver.open(**place.settings())
    place.path.unlink()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert not place.path.exists()  # A validation alone makes no record.
    place.site.invalidate()
    driver.run(client, "get_self")
    assert place.names() == ["maple_ink"]
    assert place.logins == 2


def test_the_header_and_payload_are_those_of_the_format(driver: Driver, place: Place) -> None:
    driver.open(**place.settings())
    assert envelope.parse(place.bytes).header.generation == 2
