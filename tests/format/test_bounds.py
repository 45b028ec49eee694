"""What a file costs before a slot is opened: about as much as its bytes, whatever they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.shapes import LOOK, SHAPES, shaped
from interpal.exceptions import VaultFormatError
from interpal.vault.format import envelope, jwe, legacy_file

if TYPE_CHECKING:
    from tests.format.small import SmallVault

SIZE = 2**22
LARGE = legacy_file.LARGEST + 2**16


def large(vault: SmallVault) -> dict[str, str]:
    """The members of a vault whose content is large, and no ciphertext."""
    members: dict[str, str] = json.loads(vault.seal())
    return members | {"ciphertext": "A" * LARGE}


def test_a_large_vault_may_be_indented_and_its_members_in_any_order(small: SmallVault) -> None:
    members = large(small)
    data = json.dumps(dict(reversed(members.items())), indent=4).encode()
    parsed = envelope.parse(data)
    assert parsed.sealed.ciphertext == jwe.b64decode(members["ciphertext"])
    assert legacy_file.classify(data) == "vault"


@pytest.mark.parametrize("ciphertext", ["A\u00e9A", "A\\A", "A=="])
def test_the_ciphertext_of_a_large_vault_is_base64url(small: SmallVault, ciphertext: str) -> None:
    members = large(small)
    members["ciphertext"] += ciphertext
    data = json.dumps(members, ensure_ascii=False).encode()
    with pytest.raises(VaultFormatError, match=r"ciphertext is not|no JWE of its size"):
        envelope.parse(data)
    assert legacy_file.classify(data.replace(b": ", b":")) == "vault"


def test_a_large_vault_that_is_cut_off_is_known_as_one(small: SmallVault) -> None:
    data = json.dumps(large(small)).encode()
    assert legacy_file.classify(data[: len(data) // 2] + bytes(100)) == "truncated"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "' + b"A" * LARGE + b'", "b": "\xc3\xa9"}',
        b'{"a": "' + b"A" * LARGE + b'\\n"}',
        b'{"a": "' + b"A" * LARGE + b'"' + b" " * 200_000 + b"}",
        b'{"session_cookie": "abc", "more": "' + b"A" * LARGE + b'"}',
    ],
    ids=["not ASCII", "an escape", "blanks", "a session"],
)
def test_what_is_larger_than_a_session_file_and_no_vault_is_nobodys(data: bytes) -> None:
    assert legacy_file.classify(data) == "foreign"
    with pytest.raises(VaultFormatError):
        envelope.parse(data)


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_of_one_character_is_refused_without_a_python_step_for_each(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shaped(name, SIZE)
    counted = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal counted
        counted += 1

    sys.setprofile(count)
    try:
        kind = legacy_file.classify(data)
        with pytest.raises(VaultFormatError):
            envelope.parse(data)
    finally:
        sys.setprofile(None)
    assert kind in {"vault", "foreign", "empty", "truncated"}
    assert counted < 2000


CHILD = f"""
{LOOK}
look(sys.argv[1])
before = most()
for path in sys.argv[2:]:
    look(path)
    print(most() - before)
"""


def memory_of(folder: Path, *files: bytes) -> list[int]:
    """The most bytes that a process has taken so far when it has looked at each file."""
    paths = []
    for number, data in enumerate((b'{"protected":[]}', *files)):
        path = folder / f"{number}.json"
        path.touch(mode=0o600)
        path.write_bytes(data)
        paths.append(str(path))
    # What is freed goes back to the system at once, and is not counted for the next file.
    environ = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    command = [sys.executable, "-c", CHILD, *paths]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return [int(kib) * 1024 for kib in ran.stdout.split()]


has_status = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not say"
)


@has_status
def test_no_file_takes_more_than_four_times_its_size_in_memory(tmp_path: Path) -> None:
    taken = memory_of(tmp_path, *(shaped(name, SIZE) for name in SHAPES))
    most = dict(zip(SHAPES, taken, strict=True))
    assert all(size <= 4 * SIZE for size in most.values()), most


# What takes the most of Python's objects for its characters.
UNITS = {
    "lists": b"[" * 20 + b"0" + b"]" * 20 + b",",
    "dicts": b'{"":' * 8 + b"0" + b"}" * 8 + b",",
    "numbers": b"1234567,",
}
BEGINNINGS = {"a vault": b'{"protected":[', "a session": b'{"session_cookie":"abc","more":['}


@has_status
@pytest.mark.parametrize(
    "filler",
    ["", "\N{FISH}" + "A" * 850_000, "A" * 2**20],
    ids=["few bytes", "wide characters", "more than 1 MiB"],
)
@pytest.mark.parametrize("most", [2**16, 100_000, 10**6])
@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_file_of_many_members_takes_16_mib_at_most(
    unit: str, beginning: str, most: int, filler: str, tmp_path: Path
) -> None:
    one = UNITS[unit]
    number = (most - 20) // sum(map(one.count, (b'"', b",", b"{", b"[")))
    data = BEGINNINGS[beginning] + one * number + f'0],"text":"{filler}"}}'.encode()
    (taken,) = memory_of(tmp_path, data)
    assert taken <= max(16 * 2**20, 4 * len(data))
