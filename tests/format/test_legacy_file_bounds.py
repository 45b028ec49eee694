"""Session files that would take the machine's memory or its time are refused before they do."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from interpal.exceptions import VaultFormatError
from interpal.vault.format import legacy_file

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
COOKIE = "q7q7q7q7q7q7q7q7q7q7q7q7q7"


@pytest.mark.parametrize(
    "data",
    [
        b'{"session_cookie":"abc","more":[' + b"[]," * 100_000 + b"[]]}",
        b'{"protected":[' + b"[]," * 100_000,
        b'{"protected":0,"protected":[' + b"[]," * 100_000 + b"[]]}",
    ],
    ids=["a session", "a beginning", "a vault with a member twice"],
)
def test_a_file_of_too_many_members_is_nobodys(data: bytes) -> None:
    assert legacy_file.classify(data) == "foreign"
    with pytest.raises(VaultFormatError):
        legacy_file.parse(data, default_name=None, local=None, now=NOW, lifetime=timedelta(1))


def test_a_session_of_as_much_as_a_record_may_hold_is_taken_in() -> None:
    members = {"session_cookie": COOKIE, "more": [""] * 21_000}
    data = json.dumps(members, indent=1).encode()
    assert legacy_file.classify(data) == "plain"
    found = legacy_file.parse(data, default_name="m", local=None, now=NOW, lifetime=timedelta(1))
    assert found.record.reveal()["more"] == members["more"]


@pytest.mark.parametrize("repeats", [300, 10_000, 2_000_000])
def test_a_username_that_is_too_long_is_refused_before_it_is_normalised(repeats: int) -> None:
    # To put so many combining marks into their order would take hours.
    username = "a" + "\N{COMBINING GRAVE ACCENT BELOW}\N{COMBINING ACUTE ACCENT}" * repeats
    data = json.dumps({"session_cookie": COOKIE, "username": username}).encode()
    with pytest.raises(VaultFormatError, match=r"cannot be kept|larger than 1 MiB"):
        legacy_file.parse(data, default_name=None, local=None, now=NOW, lifetime=timedelta(1))
