"""Step 7 of the resume table: a disk that takes nothing costs the save, not the session."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from interpal._clock import utc_now
from interpal.exceptions import VaultIOError
from tests.helpers import Place, export_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interpal.sandbox import Sandbox
from tests.helpers import Driver


@pytest.fixture(params=["full", "read-only"])
def narrow(
    request: pytest.FixtureRequest, tmp_path: Path, site: Sandbox
) -> Iterator[tuple[Place, str]]:
    """A place on a file system of 64 KiB, in a mount that the test takes away again."""
    point = tmp_path / "mounted"
    point.mkdir()
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(point)]
    subprocess.run(tmpfs, check=True)
    try:
        yield Place(point / "p", site), request.param
    finally:
        subprocess.run(["umount", str(point)], check=True)


def exhaust(place: Place, how: str) -> None:
    if how == "full":
        with open(place.folder.parent / "fill", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 1024)
            except OSError:
                return
    else:
        point = str(place.folder.parent)
        subprocess.run(["mount", "-o", "remount,ro", point], check=True)


def test_a_first_login_that_cannot_be_saved_works_on_a_full_disk_alone(
    driver: Driver, narrow: tuple[Place, str]
) -> None:
    place, how = narrow
    exhaust(place, how)
    if how == "read-only":
        # A mistake of the set-up: it would cost a login at each start.
        with pytest.raises(VaultIOError, match="read-only: mount it writable"):
            driver.open(**place.settings())
        assert place.attempts == 0
        return
    client = driver.open(**place.settings())
    assert client.is_authenticated
    assert not client.persisted
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert "save_failed" in place.told
    assert not place.path.exists()
    assert place.logins == 1


def test_a_renewal_that_cannot_be_saved_works_and_the_old_content_is_intact(
    driver: Driver, narrow: tuple[Place, str]
) -> None:
    place, how = narrow
    place.save()
    client = driver.open(**place.settings())
    place.vault().close()
    before = place.bytes
    exhaust(place, how)
    place.site.invalidate()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert not client.persisted
    assert place.bytes == before
    assert "save_failed" in place.told
    assert place.logins == 2
    # The next end of the session finds the old one in the vault, and is not taken in by it.
    place.site.invalidate()
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert place.logins == 3
    if how == "full":
        (place.folder.parent / "fill").unlink()
        driver.run(client, "login", force=True)
        assert client.persisted
        assert place.record()["session_cookie"] == client.session.session_cookie


def test_a_validation_that_cannot_be_saved_costs_nothing(
    driver: Driver, narrow: tuple[Place, str]
) -> None:
    place, how = narrow
    place.save(last_validated_at=utc_now() - timedelta(hours=1))
    before = place.bytes
    exhaust(place, how)
    client = driver.open(**place.settings(password=None))
    assert client.is_authenticated
    assert client.persisted
    assert place.told == ["session_loaded", "validated", "save_failed"]
    assert place.bytes == before


def test_a_plain_file_that_cannot_be_encrypted_in_place_is_used_all_the_same(
    driver: Driver, narrow: tuple[Place, str]
) -> None:
    place, how = narrow
    session = place.log_in()
    place.path.write_text(json.dumps({**export_of(session), "origin": place.site.base_url}))
    place.path.chmod(0o600)
    before = place.bytes
    exhaust(place, how)
    for settings in ({}, {"password": None}):
        client = driver.open(**place.settings(**settings))
        assert client.session.same_credentials(session)
        assert not client.persisted
        assert driver.run(client, "get_self")
    assert place.bytes == before
    assert place.told.count("save_failed") == 2
    assert place.logins == 1


def test_a_damaged_vault_that_cannot_be_set_aside_is_told_before_a_login(
    driver: Driver, narrow: tuple[Place, str]
) -> None:
    place, how = narrow
    if how == "full":
        return  # A rename needs no space.
    place.save()
    place.path.write_bytes(place.bytes[:300])
    before = place.bytes
    exhaust(place, how)
    for settings in ({}, {"password": None}):
        with pytest.raises(VaultIOError, match="read-only"):
            driver.open(**place.settings(**settings))
    assert place.bytes == before
    assert place.attempts == 1
