"""Argon2id that this machine has not the memory for is an error, not a kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interpal.exceptions import VaultLimitError
from interpal.vault import KdfParameters, Vault
from interpal.vault.keys import memory
from tests.vault import CHEAP, Counted, new_vault, reopened

MEMINFO = "MemTotal: 9000000 kB\nMemAvailable: 100000 kB\nSwapTotal: 0 kB\nSwapFree: {swap} kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 100,000 KiB of memory left, and a control group without a limit."""
    root = tmp_path / "machine"
    group = root / "groups" / "user" / "bot"
    group.mkdir(parents=True)
    (root / "meminfo").write_text(MEMINFO.format(swap=0))
    (root / "own").write_text("9:memory:/old\n0::/user/bot\n")
    (group / "memory.max").write_text("max\n")
    monkeypatch.setattr(memory, "MEMINFO", str(root / "meminfo"))
    monkeypatch.setattr(memory, "OWN_CGROUP", str(root / "own"))
    monkeypatch.setattr(memory, "CGROUPS", str(root / "groups"))
    return root


def test_what_is_left_is_the_least_of_machine_and_groups(machine: Path) -> None:
    assert memory.available_kib() == 100000
    (machine / "meminfo").write_text(MEMINFO.format(swap=50000))
    assert memory.available_kib() == 150000
    (machine / "meminfo").write_text(MEMINFO.format(swap=0))
    above = machine / "groups" / "user"
    (above / "memory.max").write_text(f"{60000 * 1024}\n")
    assert memory.available_kib() == 60000
    (above / "memory.stat").write_text(f"anon {20000 * 1024}\nfile {90000 * 1024}\n")
    assert memory.available_kib() == 40000, "the page cache makes way"
    (above / "bot" / "memory.max").write_text("1024\n")
    assert memory.available_kib() == 1


def test_the_limits_of_version_1_count_too(machine: Path) -> None:
    group = machine / "groups" / "memory" / "old"
    group.mkdir(parents=True)
    unlimited = "9223372036854771712\n"
    (group / "memory.limit_in_bytes").write_text(unlimited)
    assert memory.available_kib() == 100000
    (machine / "groups/memory/memory.limit_in_bytes").write_text(f"{70000 * 1024}\n")
    assert memory.available_kib() == 70000, "of the group above, as a container sees its own"
    (group / "memory.limit_in_bytes").write_text(f"{60000 * 1024}\n")
    (group / "memory.stat").write_text(
        f"rss 1\ntotal_cache {90000 * 1024}\ntotal_rss {20000 * 1024}\ntotal_swap {1000 * 1024}\n"
    )
    assert memory.available_kib() == 40000
    (machine / "meminfo").write_text(MEMINFO.format(swap=50000))
    assert memory.available_kib() == 90000
    (group / "memory.memsw.limit_in_bytes").write_text(f"{60000 * 1024}\n")
    assert memory.available_kib() == 39000, "without swap, as `docker run -m` has it"


def test_a_group_without_swap_is_not_lent_that_of_the_machine(machine: Path) -> None:
    (machine / "meminfo").write_text(MEMINFO.format(swap=50000))
    group = machine / "groups" / "user" / "bot"
    (group / "memory.max").write_text(f"{60000 * 1024}\n")
    assert memory.available_kib() == 110000
    (group / "memory.swap.max").write_text("0\n")
    assert memory.available_kib() == 60000


GROUP = "/sys/fs/cgroup/memory"


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(f"{GROUP}/memory.limit_in_bytes", os.W_OK),
    reason="this machine has no control groups of version 1",
)
def test_a_real_group_of_version_1_is_refused_and_nothing_killed(path: Path) -> None:
    Vault.open(path, passphrase="x", create=True).close()
    group = Path(f"{GROUP}/interpal-test-{os.getpid()}")
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
        code = f"""
import os, sys
with open("{group}/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
from interpal.exceptions import VaultLimitError
from interpal.vault import Vault
try:
    Vault.open(sys.argv[1], passphrase="x")
except VaultLimitError as error:
    print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done
        assert "needs 64 MiB of memory for Argon2id" in done.stdout
    finally:
        group.rmdir()


def test_where_nothing_tells_nothing_is_refused(machine: Path) -> None:
    (machine / "meminfo").unlink()
    (machine / "own").unlink()
    assert memory.available_kib() is None
    memory.check_memory(2**40)


def test_lines_that_say_nothing_are_passed_over(machine: Path) -> None:
    (machine / "meminfo").write_text("\nMemFree\nHugePages: none\n" + MEMINFO.format(swap=0))
    assert memory.available_kib() == 100000


def test_this_machine_tells() -> None:
    left = memory.available_kib()
    assert left is not None
    assert left > 1024


def test_a_slot_too_large_for_the_machine_is_refused_before_it_is_tried(
    machine: Path, path: Path, derivations: Counted
) -> None:
    vault = new_vault(path)
    derivations.calls = 0
    before = path.read_bytes()
    with pytest.raises(VaultLimitError, match=r"256 MiB.*97 MiB") as caught:
        vault.add_slot(passphrase="x", kdf=KdfParameters.STRONG)
    assert caught.value.path == str(path)
    assert path.read_bytes() == before
    assert derivations.calls == 0
    (machine / "meminfo").write_text("MemAvailable: 4 kB\n")
    with pytest.raises(VaultLimitError, match="1 MiB of memory") as caught:
        reopened(path)
    assert caught.value.path == str(path)
    assert str(caught.value).count(str(path)) == 1


def test_a_process_that_may_not_take_the_memory_says_so(path: Path) -> None:
    Vault.open(path, passphrase="x", create=True, kdf=CHEAP).close()
    code = """
import resource, sys
import argon2.low_level
from interpal.exceptions import VaultLimitError
from interpal.vault import KdfParameters, Vault
vault = Vault.open(sys.argv[1], passphrase="x")
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, resource.RLIM_INFINITY))
try:
    vault.add_slot(passphrase="y", kdf=KdfParameters.STRONG)
except VaultLimitError as error:
    print(error)
vault["a"] = {"n": 1}
print("still works")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told, works = done.stdout.splitlines()
    assert "256 MiB" in told
    assert str(path) in told
    assert works == "still works"
