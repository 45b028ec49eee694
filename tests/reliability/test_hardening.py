from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from interpal._hidden import Hidden
from interpal.vault import hardening
from interpal.vault.files.mounts import network_filesystem
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.hardening import harden_process
from interpal.vault.vault import Vault
from tests.files import STRANGER
from tests.reliability.children import in_child

if TYPE_CHECKING:
    from pathlib import Path

PR_GET_DUMPABLE = 3
PAGE = os.sysconf("SC_PAGE_SIZE")


def locked_kb() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        found = re.search(r"VmLck:\s+(\d+) kB", status.read())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("kind", ["key", "passphrase"])
def test_the_pages_of_both_keys_are_locked_and_no_core_is_left(tmp_path: Path, kind: str) -> None:
    def work() -> tuple[bool, bool, int]:
        secret = b"k" * 32 if kind == "key" else None
        vault = Vault.open(
            tmp_path / "vault",
            key=secret,
            passphrase=None if secret else "a passphrase",
            create=True,
            kdf=None if secret else KdfParameters.INSECURE_FOR_TESTS,
        )
        before = locked_kb()
        done = harden_process(vault)
        dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
        locked = (locked_kb() - before) * 1024
        return done.undumpable, dumpable == 0, done.locked if locked == done.locked else -1

    said = in_child(work).said
    assert said in (f"(True, True, {PAGE})", f"(True, True, {2 * PAGE})"), said


def test_a_key_on_two_pages_has_both_locked() -> None:
    keys = [Hidden(bytes([number]) * 32) for number in range(200)]
    pages = hardening._pages(keys, PAGE)
    for key in keys:
        inner = key.reveal()
        assert id(inner) // PAGE * PAGE in pages
        assert (id(inner) + sys.getsizeof(inner) - 1) // PAGE * PAGE in pages
    assert len(hardening._pages([Hidden(bytes(2 * PAGE))], PAGE)) >= 3


def test_where_nothing_may_be_locked_a_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Vault.open(tmp_path / "vault", key=b"k" * 32, create=True)

    def work() -> tuple[int, str]:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        os.setuid(STRANGER)  # root is not bound by the limit
        done = harden_process(vault)
        return done.locked, caplog.text

    said = in_child(work).said
    assert said.startswith("(0, ")
    assert "could not be locked in memory" in said


def test_a_hardened_process_of_a_plain_user_still_works(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    def work() -> tuple[bool, object, int]:
        done = harden_process()
        return done.undumpable, network_filesystem("/"), len(os.listdir("/proc/self/fd")) and 1

    assert in_child(work, uid=STRANGER).said == "(True, None, 1)"


def test_a_hardened_process_cannot_be_traced_by_its_own_user() -> None:
    def work() -> str:
        harden_process()
        pid = os.getpid()

        def look() -> str:
            try:
                with open(f"/proc/{pid}/mem", "rb"):
                    return "open"
            except PermissionError:
                return "refused"

        return in_child(look).said

    assert in_child(work, uid=STRANGER).said == "refused"


def test_elsewhere_nothing_is_done_and_said_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert harden_process() == (False, 0)
    assert "only Linux" in caplog.text


def test_a_hardened_process_leaves_no_core_file(tmp_path: Path) -> None:
    def crash(*, hardened: bool) -> None:
        os.chdir(tmp_path)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if hardened:
            harden_process()
        os.kill(os.getpid(), signal.SIGQUIT)

    assert in_child(lambda: crash(hardened=True)).killed_by == signal.SIGQUIT
    assert os.listdir(tmp_path) == []
