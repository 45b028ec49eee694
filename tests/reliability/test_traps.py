"""What no line of the table tells: access control lists, and folders that are not to be written."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import VaultPermissionError
from interpal.vault.files.private_files import read_secret_file
from interpal.vault.vault import Vault
from tests.files import STRANGER, mode_of
from tests.reliability import strangers
from tests.reliability.children import in_child
from tests.reliability.subjects import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = 0xFFFFFFFF
needs_two_users = pytest.mark.usefixtures("two_users")


@pytest.fixture
def two_users() -> None:
    assert os.geteuid() == 0, "to be two users needs root: run the tests as root, as CI does"


@pytest.fixture
def home() -> Iterator[Path]:
    with strangers.house(0) as path:
        yield path


def let_in(path: Path, uid: int) -> None:
    """As `setfacl -m u:UID:rw` (linux/posix_acl_xattr.h)."""
    entries = [(1, 6, NOBODY), (2, 6, uid), (4, 0, NOBODY), (16, 6, NOBODY), (32, 0, NOBODY)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", value)


def can_read(path: Path) -> bool:
    def work() -> bool:
        try:
            return bool(path.read_bytes())
        except PermissionError:
            return False

    return in_child(work, uid=STRANGER).said == "True"


@needs_two_users
def test_an_access_list_that_lets_a_neighbour_in_is_taken_away(home: Path) -> None:
    vault = Vault.open(home / "vault", key=KEY, create=True)
    vault["maple_ink"] = {}
    let_in(home / "vault", STRANGER)
    assert can_read(home / "vault")
    assert "maple_ink" in vault
    assert not can_read(home / "vault")
    assert mode_of(home / "vault") == 0o600


@needs_two_users
def test_a_key_file_that_an_access_list_opens_is_refused(home: Path) -> None:
    key = home / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    assert read_secret_file(str(key), 100).reveal() == KEY
    let_in(key, STRANGER)
    os.chown(key, strangers.OWNER, strangers.OWNER)
    said = in_child(lambda: read_secret_file(str(key), 100), uid=strangers.OWNER).said
    assert said.startswith("VaultPermissionError"), said
    assert f"chmod 600 {key}" in said


@needs_two_users
def test_a_plain_user_reads_in_a_folder_that_he_may_not_write(home: Path) -> None:
    os.chown(home, strangers.OWNER, strangers.OWNER)

    def make() -> None:
        Vault.open(home / "vault", key=KEY, create=True)["maple_ink"] = {"n": 1}

    def read() -> str:
        vault = Vault.open(home / "vault", key=KEY)
        found = dict(vault["maple_ink"])
        with pytest.raises(VaultPermissionError, match=rf"chmod u\+rwx {home}"):
            vault["maple_ink"] = {"n": 2}
        return f"{found} {sorted(os.listdir(home))}"

    in_child(make, uid=strangers.OWNER)
    home.chmod(0o500)
    said = in_child(read, uid=strangers.OWNER).said
    assert said == "{'n': 1} ['vault', 'vault.locks']"
