"""Systems other than Linux, as far as that can be told on Linux: the calls, not their effects."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interpal.vault import Vault
from interpal.vault.files import folders
from interpal.vault.stores.sqlite import connections
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

F_FULLFSYNC = 51
"""Of macOS's <sys/fcntl.h>."""


class Mac:
    """Answers `F_FULLFSYNC`, by *error* where it is one, and counts it and fsync."""

    def __init__(self, error: int | None = None) -> None:
        self.error = error
        self.full = 0
        self.plain = 0
        self._fcntl, self._fsync = fcntl.fcntl, os.fsync

    def fcntl(self, fd: int, call: int, *arguments: Any) -> Any:
        if call != F_FULLFSYNC:
            return self._fcntl(fd, call, *arguments)
        self.full += 1
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return 0

    def fsync(self, fd: int) -> None:
        self.plain += 1
        self._fsync(fd)


def on_a_mac(monkeypatch: pytest.MonkeyPatch, error: int | None = None) -> Mac:
    mac = Mac(error)
    monkeypatch.setattr(folders, "_FULL_FLUSH", F_FULLFSYNC)
    monkeypatch.setattr(fcntl, "fcntl", mac.fcntl)
    monkeypatch.setattr(os, "fsync", mac.fsync)
    monkeypatch.setattr(sys, "platform", "darwin")
    return mac


def test_a_save_on_macos_flushes_the_cache_of_the_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = on_a_mac(monkeypatch)
    with Vault.open(tmp_path / "v.json", key=bytes(32), create=True) as vault:
        before = mac.full
        vault["a"] = {"cookie": "1"}
    assert mac.full == before + 2, "the file, and the folder that names it"
    assert mac.plain == 0


def test_a_file_system_that_does_not_know_the_call_is_synced_as_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = on_a_mac(monkeypatch, errno.ENOTSUP)
    with Vault.open(tmp_path / "v.json", key=bytes(32), create=True) as vault:
        vault["a"] = {"cookie": "1"}
    assert mac.plain == mac.full > 0


def test_a_flush_that_fails_is_not_tried_again_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = on_a_mac(monkeypatch, errno.EIO)
    with (tmp_path / "a").open("wb") as file, pytest.raises(OSError, match="error"):
        folders.flush(file.fileno())
    assert (mac.full, mac.plain) == (1, 0)


def test_a_database_on_macos_flushes_the_cache_of_the_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    # Another system takes the settings too, and does the same as before.
    assert {"PRAGMA fullfsync = ON", "PRAGMA checkpoint_fullfsync = ON"} <= set(
        connections._settings()
    )
    with Vault.open(f"sqlite:{tmp_path}/v.db", key=bytes(32), create=True) as vault:
        vault["a"] = {"cookie": "1"}
        assert vault["a"] == {"cookie": "1"}


def test_the_import_on_windows_is_one_sentence_with_the_reason_and_the_way_out() -> None:
    code = "import sys; sys.platform = 'win32'; import interpal"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    told = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert told.startswith("ImportError: interpal-vault does not run on Windows, which has no ")
    assert told.count(". ") == 0
    assert "WSL" in told
    assert f"{told.removeprefix('ImportError: ').rstrip('.')}" in " ".join(
        (ROOT / "docs" / "platforms.md").read_text().replace("<", "").replace(">", "").split()
    )
