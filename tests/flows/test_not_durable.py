"""A folder that cannot be synced: what was saved may not outlive a power cut, and serves on."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.helpers import Driver, Place


@pytest.fixture(autouse=True)
def no_folder_can_be_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def only_files(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)

    monkeypatch.setattr(os, "fsync", only_files)


def test_a_first_login_is_saved_and_told_not_to_be_safe(driver: Driver, place: Place) -> None:
    # The folder of the locks is there: making one needs a sync of its own.
    (place.folder / "v.json.locks").mkdir(mode=0o700)
    client = driver.open(**place.settings())
    assert client.persisted
    assert place.told.count("save_failed") == 1
    assert place.told[-1] == "saved"
    again = driver.open(**place.settings())
    assert again.session.same_credentials(client.session)
    assert place.logins == 1
