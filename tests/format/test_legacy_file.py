"""Session files of interpal 1.x and its kin (docs/migrating.md)."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpal.exceptions import VaultFormatError
from interpal.vault.format import legacy_file
from interpal.vault.format.session_record import record_name
from tests.format.opening import load_vectors

if TYPE_CHECKING:
    from tests.format.small import SmallVault

COOKIE = "q7q7q7q7q7q7q7q7q7q7q7q7q7"
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
DAY = timedelta(hours=24)

PYTHON = {
    "session_cookie": COOKIE,
    "auth_token": "aGVhZA.Y2xhaW1z.c2ln",
    "username": "Maple_Ink",
    "bot_id": "1700000000000000001",
    "created_at": "2026-11-22T08:40:00.123456",
    "expires_at": "2026-11-23T08:40:00",
}
JAVASCRIPT = {
    "sessionCookie": COOKIE,
    "authToken": "aGVhZA.Y2xhaW1z.c2ln",
    "botId": "1700000000000000001",
    "username": "Maple_Ink",
    "createdAt": "2026-11-22T07:40:00.123Z",
    "expiresAt": "2026-11-23T07:40:00.000Z",
}
BERLIN = ZoneInfo("Europe/Berlin")


class Parsed(NamedTuple):
    name: str
    record: dict[str, Any]


def parse(members: dict[str, Any] | bytes, **change: Any) -> Parsed:
    data = members if isinstance(members, bytes) else json.dumps(members, indent=2).encode()
    usual: dict[str, Any] = {"default_name": None, "local": BERLIN, "now": NOW, "lifetime": DAY}
    name, record = legacy_file.parse(data, **(usual | change))
    return Parsed(name, record.reveal())


def times(created: Any = ..., expires: Any = ..., **change: Any) -> tuple[Any, Any]:
    given = {"created_at": created, "expires_at": expires}
    members = {name: value for name, value in given.items() if value is not ...}
    record = parse({"session_cookie": COOKIE, **members}, **change).record
    return record["created_at"], record["expires_at"]


def test_a_file_of_interpal_1_2_becomes_a_record() -> None:
    assert parse(PYTHON) == (
        "maple_ink",
        {
            "session_cookie": COOKIE,
            "auth_token": "aGVhZA.Y2xhaW1z.c2ln",
            "cookies": {},
            "username": "Maple_Ink",
            "user_id": "1700000000000000001",
            "created_at": "2026-11-22T07:40:00.123456Z",
            "expires_at": "2026-11-23T07:40:00Z",
            "last_validated_at": None,
        },
    )


def test_a_file_of_interpal_js_becomes_the_same_record() -> None:
    name, record = parse(JAVASCRIPT)
    assert name == "maple_ink"
    assert record == {**parse(PYTHON).record, "created_at": "2026-11-22T07:40:00.123000Z"}


def test_a_file_of_interpal_1_1_has_no_id() -> None:
    old = {name: value for name, value in PYTHON.items() if name != "bot_id"}
    assert parse(old).record["user_id"] is None


def test_what_the_export_call_gave_is_enough() -> None:
    name, record = parse({"session_cookie": COOKIE, "auth_token": None, "bot_id": None})
    assert name == "default"
    assert (record["auth_token"], record["user_id"], record["username"]) == (None, None, None)
    assert (record["created_at"], record["expires_at"]) == (
        "2026-11-22T12:00:00Z",
        "2026-11-23T12:00:00Z",
    )


def test_what_our_own_export_gives_is_read_too() -> None:
    record = parse(
        {"session_cookie": COOKIE, "user_id": "17", "origin": "http://127.0.0.1:1"}
    ).record
    assert record["user_id"] == "17"
    assert record["origin"] == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("bot_id", "user_id"),
    [
        (1700000000000000001, "1700000000000000001"),
        (17, "17"),
        (" 17 ", "17"),
        (17.0, "17"),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_an_id_is_text_whatever_it_was(bot_id: Any, user_id: str | None) -> None:
    assert parse({**PYTHON, "bot_id": bot_id}).record["user_id"] == user_id


@pytest.mark.parametrize(
    ("username", "default", "name"),
    [
        ("Maple_Ink", "other", "maple_ink"),
        (None, "Other", "other"),
        ("", "Other", "other"),
        ("  ", None, "default"),
        (" Pedro ", None, "pedro"),
        ("Stra\u00dfe", None, "stra\u00dfe"),
        ("E\u0301A", None, "\u00e9a"),
        ("me@Example.org", None, "me@example.org"),
    ],
)
def test_a_record_is_named_after_its_own_username_first(
    username: str | None, default: str | None, name: str
) -> None:
    assert parse({**PYTHON, "username": username}, default_name=default).name == name


@given(st.text())
def test_the_name_of_a_record_is_its_own_name(username: str) -> None:
    name = record_name(username)
    assert record_name(name) == name


@pytest.mark.parametrize(
    ("text", "cookies"),
    [
        (COOKIE, {}),
        (f"  {COOKIE}\n", {}),
        (f"interpals_sessid={COOKIE}", {}),
        (f"__ubic1=abc; interpals_sessid={COOKIE}", {"__ubic1": "abc"}),
        (f"Cookie: interpals_sessid={COOKIE}; lt=1,a,b;", {"lt": "1,a,b"}),
        (f'interpals_sessid="{COOKIE}"; csrf_cookieV2=a%3D=', {"csrf_cookieV2": "a%3D="}),
        (f"interpals_sessid={COOKIE}; Path=/; HttpOnly; Secure", {}),
        (f"interpals_sessid={COOKIE}; interpals_sessid=other; bad=a b", {}),
    ],
)
def test_a_whole_cookie_header_is_split(text: str, cookies: dict[str, str]) -> None:
    data = json.dumps({**PYTHON, "session_cookie": text}).encode()
    assert legacy_file.classify(data) == "plain"
    record = parse(data).record
    assert record["session_cookie"] == COOKIE
    assert record["cookies"] == cookies


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "  ",
        7,
        True,
        [],
        "a b",
        "a\r\nX: y",
        "\u00e9",
        "interpals_sessid=",
        "a=1; b=2",
        "a=1",
        ";",
    ],
)
def test_a_file_without_a_cookie_that_can_be_sent_is_none_of_ours(cookie: Any) -> None:
    data = json.dumps({**PYTHON, "session_cookie": cookie}).encode()
    assert legacy_file.classify(data) == "foreign"
    with pytest.raises(VaultFormatError) as caught:
        parse(data)
    assert caught.value.path is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-23T08:40:00", "2026-11-23T07:40:00Z"),
        ("2026-11-23 08:40:00.5", "2026-11-23T07:40:00.500000Z"),
        ("2026-11-23T08:40", "2026-11-23T07:40:00Z"),
        ("2026-11-23T07:40:00Z", "2026-11-23T07:40:00Z"),
        ("2026-11-23T07:40:00.123Z", "2026-11-23T07:40:00.123000Z"),
        ("2026-11-23T07:40:00.123456789+00:00", "2026-11-23T07:40:00.123456Z"),
        ("2026-11-23T10:40:00+03:00", "2026-11-23T07:40:00Z"),
        ("2026-11-23T02:10:00-05:30", "2026-11-23T07:40:00Z"),
        (" 2026-11-23T07:40:00z ", "2026-11-23T07:40:00Z"),
        ("2026-11-23", "2026-11-22T23:00:00Z"),
        (1795419600, "2026-11-23T07:40:00Z"),
        (1795419600.25, "2026-11-23T07:40:00.250000Z"),
        (1795419600123, "2026-11-23T07:40:00.123000Z"),
    ],
)
def test_times_become_utc_text(written: Any, read: str) -> None:
    assert times(expires=written)[1] == read


@pytest.mark.parametrize(
    "nothing",
    [
        ...,
        None,
        "",
        "soon",
        True,
        [],
        {},
        "2026-13-01",
        "2026-02-30T00:00:00",
        1e300,
        -1e300,
        "0000-00-00",
    ],
)
def test_a_time_that_says_nothing_counts_as_missing(nothing: Any) -> None:
    assert times("2026-11-22T07:40:00Z", nothing)[1] == "2026-11-23T07:40:00Z"
    assert times(nothing, "2026-11-23T07:40:00Z")[0] == "2026-11-22T07:40:00Z"
    # A session cannot have been made in the future.
    assert times(nothing, "2027-11-23T07:40:00Z")[0] == "2026-11-22T12:00:00Z"
    assert times("9999-12-31T23:59:59Z", nothing)[1] == "2026-11-23T12:00:00Z"


def test_naive_times_are_in_the_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone, hour in (("UTC", "08"), ("America/Lima", "13")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert times(expires="2026-11-23T08:40:00", local=None)[1] == f"2026-11-23T{hour}:40:00Z"
    monkeypatch.undo()
    time.tzset()


@given(st.datetimes(timezones=st.just(timezone.utc)), st.sampled_from(["", "Z", "+00:00"]))
def test_any_time_comes_back(moment: datetime, offset: str) -> None:
    text = moment.replace(tzinfo=None).isoformat()
    assert times(expires=text + offset, local=timezone.utc)[1] == text + "Z"


def test_what_nobody_knows_is_kept_and_known_names_are_not_kept_twice() -> None:
    extra = {"note": "\u00e9", "deep": [{"a": 2**60}], "big": 2**60, "password": None}
    record = parse({**JAVASCRIPT, **extra}).record
    assert record["note"] == "\u00e9"
    assert record["deep"] == [{"a": str(2**60)}]
    assert record["big"] == str(2**60)
    assert not {"sessionCookie", "botId", "createdAt", "expiresAt"} & record.keys()


def test_the_first_name_that_says_something_wins() -> None:
    both = {**PYTHON, **JAVASCRIPT, "auth_token": "  ", "authToken": "b"}
    assert parse({**both, "auth_token": "a"}).record["auth_token"] == "a"
    assert parse({**both, "auth_token": None}).record["auth_token"] == "b"
    assert parse({**both, "session_cookie": ""}).record["session_cookie"] == COOKIE


def test_a_record_that_no_vault_would_take_is_refused_without_showing_it() -> None:
    for change in ({"note": "x" * 65536}, {"username": "a\x07"}, {"username": "n" * 1025}):
        with pytest.raises(VaultFormatError) as caught:
            parse({**PYTHON, **change})
        assert COOKIE not in str(caught.value)


def test_a_plain_record_does_not_show_itself() -> None:
    data = json.dumps(PYTHON).encode()
    found = legacy_file.parse(data, default_name=None, local=BERLIN, now=NOW, lifetime=DAY)
    assert COOKIE not in repr(found)


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\0", b"\0" * 4096, b"\0\0\n"])
def test_nothing_is_empty(data: bytes) -> None:
    assert legacy_file.classify(data) == "empty"


def test_every_vault_looks_like_one_even_if_it_is_broken() -> None:
    for name, vector in load_vectors().items():
        if name in {"file-list", "file-trailing", "file-no-protected", "file-truncated"}:
            continue
        assert legacy_file.classify(vector["file"].encode()) == "vault", name
    for data in (
        b'{"protected": 1}',
        b'{"a": 1, "protected": "", "a": 1.5}',
        b'{"protected": NaN}',
        b'{"protected": "\xff"}',
        b'\xef\xbb\xbf{"protected": ""}',
    ):
        assert legacy_file.classify(data) == "vault"


def test_every_beginning_of_a_vault_or_session_file_is_truncated(small: SmallVault) -> None:
    escaped = json.dumps({**PYTHON, "n": [-1.5e3, True, None, "\u00e9\U0001f41f\\"]}).encode()
    plain_text = json.dumps(JAVASCRIPT, indent=2, ensure_ascii=False).encode()
    accent = '{"username": "\u00e9\U0001f41f", "session_cookie": "a"}'.encode()
    for whole in (small.seal().strip(), escaped, plain_text, accent):
        assert legacy_file.classify(whole) in {"vault", "plain"}
        for length in range(1, len(whole)):
            assert legacy_file.classify(whole[:length]) == "truncated", whole[:length]
            assert legacy_file.classify(whole[:length] + b"\0" * 9) == "truncated", whole[:length]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b"null",
        b'"protected"',
        b"[",
        b"# notes\n",
        b'{"name": "app", "version": "1.0.0"}',
        b'{"name": "app", "vers',
        b'{"na',
        b'{"protectedx',
        b'{"protected": "a" oops',
        b'{"protected": "a"}}',
        b'{"session_cookie": "a", oops}',
        b'{"username": "a", "password": "b"}',
        b'{"interpals_sessid": "a", "csrf_cookieV2": "b"}',
        b'{"session_cookie": "a", "session_cookie": "b"}',
        b'\xef\xbb\xbf{"session_cookie": "abc"}',
        b'{"session_cookie": "\xff',
        b'{"protected": ' + b"[" * 100_000,
        b"{" * 100_000,
        b"\x89PNG\r\n",
        b"SQLite format 3\0",
    ],
)
def test_anything_else_is_foreign(data: bytes) -> None:
    assert legacy_file.classify(data) == "foreign"
    with pytest.raises(VaultFormatError):
        parse(data)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: ('{"' + text).encode()))
def test_any_bytes_have_a_class(data: bytes) -> None:
    assert legacy_file.classify(data) in {"vault", "plain", "empty", "truncated", "foreign"}
