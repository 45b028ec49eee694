"""What errors say: of a session that may have ended, of who holds a lock, of what is in a URL."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interpal import APIError, ValidationError
from interpal.exceptions import (
    InvalidCredentialsError,
    LockTimeoutError,
    VaultPermissionError,
)
from interpal.exceptions import PermissionError as ForbiddenError
from interpal.vault import Vault
from interpal.vault.files.locks import FileLock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers import Driver, Place


@pytest.mark.parametrize(("status", "kind"), [(403, ForbiddenError), (302, APIError)])
def test_a_refusal_that_may_be_of_an_ended_session_names_the_way_out(
    driver: Driver, place: Place, status: int, kind: type[APIError]
) -> None:
    place.save()
    client = driver.open(**place.settings())
    place.site.fault("/v1/threads", status=status)
    with pytest.raises(kind, match=r"login\(force=True\) replaces it"):
        driver.run(client, "request", "GET", "/v1/threads")
    place.site.fault("/v1/account/self", status=403)
    driver.open(**place.settings())
    told = [event for event in place.events if event.name == "unverified"]
    assert "login(force=True) replaces it" in told[-1].facts["reason"]


def test_the_first_refusal_names_the_account(driver: Driver, place: Place) -> None:
    with pytest.raises(InvalidCredentialsError, match=r"^maple_ink: the server refused"):
        driver.open(**place.settings(password="wrong"))


@pytest.mark.parametrize(
    "url",
    [
        '"https://example.org"',
        "https://example.org\r",
        "https://exam\u200bple.org",
        " https://x",
        "https://x:1 ",
    ],
)
def test_what_does_not_print_in_a_base_url_is_named(place: Place, driver: Driver, url: str) -> None:
    with pytest.raises(ValidationError, match="a quote, a blank or an invisible character"):
        driver.open(**place.settings(base_url=url))


def test_the_variable_is_named_where_the_base_url_comes_from_it(
    place: Place, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPALS_BASE_URL", "127.0.0.1:8473")
    with pytest.raises(ValidationError, match=r"INTERPALS_BASE_URL: expected https://HOST"):
        driver.open(**{**place.settings(), "base_url": None})


def test_a_wait_for_the_write_lock_says_how_long_it_was(driver: Driver, place: Place) -> None:
    place.save()
    lock = FileLock(str(place.path), "write.lock")
    lock.acquire(1)
    try:
        with pytest.raises(LockTimeoutError) as caught:
            driver.run(
                driver.open(**place.settings(auto_login=False, lock_timeout=1)),
                "clear_saved_session",
            )
        assert "after waiting 0 s" not in str(caught.value)
        assert "after waiting 1 s" in str(caught.value)
    finally:
        lock.release()


HOLD = """
import sys
from interpal.vault.files.locks import FileLock
lock = FileLock(sys.argv[1], "write.lock")
lock.acquire(60)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace of one's own needs root")
def test_a_pid_of_another_container_is_not_named(tmp_path: Path) -> None:
    path = str(tmp_path / "v.json")
    command = [sys.executable, "-c", HOLD, path]
    for inside in (False, True):
        prefix = ["unshare", "--pid", "--fork"] if inside else []
        with subprocess.Popen(
            [*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(LockTimeoutError) as caught:
                FileLock(path, "write.lock").acquire(0)
            if inside:
                assert caught.value.holder is None
                assert (
                    "another process holds the lock (it may be of another user or container)"
                    in str(caught.value)
                )
            else:
                assert caught.value.holder == str(holder.pid)
            assert holder.stdin is not None
            holder.stdin.close()


def test_a_vault_that_is_a_link_names_what_it_points_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    Vault.open(real, key=bytes(32), create=True).close()
    link.symlink_to(real)
    with pytest.raises(VaultPermissionError, match=f"Give the path of what it points to: {real}"):
        Vault.open(link, key=bytes(32))
