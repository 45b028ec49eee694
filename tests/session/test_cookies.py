"""The cookie jar of a session: RFC 6265bis, and nothing of a session is lost by it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpal.exceptions import AuthenticationError
from interpal.session import Session
from interpal.sessions import cookies
from interpal.sessions.cookies import Exchange, StoredCookie
from interpal.transport.messages import Response

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=timezone.utc)
HOST = "https://api.interpals.net"
HOME = HOST + "/v1/account/self"
OWN = "interpals_sessid"


def at(path: str = "/v1/account/self", host: str = HOST) -> Exchange:
    return Exchange(host + path, host + "/v1/account/self", NOW)


def setting(*headers: str) -> Response:
    return Response(200, tuple(("set-cookie", text) for text in headers), b"")


def session_of(received: cookies.Received) -> Session:
    """The session with these cookies, as a vault brings it back."""
    made = Session(
        session_cookie=received.own,
        cookies=received.others,
        cookie_attributes=received.attributes,
        created_at=NOW,
        expires_at=None,
    )
    back = Session.from_record(made.to_record())
    assert back is not None
    return back.replace(expires_at=None)


def logged_in(*headers: str, host: str = HOST) -> Session:
    return session_of(cookies.after_login(setting(*headers), at("/v1/token", host)))


def replied(session: Session, *headers: str, exchange: Exchange | None = None) -> Session:
    received = cookies.after_reply(session, setting(*headers), exchange or at())
    return session if received is None else session_of(received)


def sent(session: Session, path: str = "/v1/account/self", *, later: float = 0) -> str:
    return cookies.cookie_header(session, HOST + path, NOW + timedelta(seconds=later))


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        '"abc def"',
        '"abcdef"',
        "a b",
        "a,b",
        "YWJj==",
        '"a\\"b"',
        '"a\\054b"',
        "s%3Aab/c+d:e[1]{2}|~!@",
        '{"a":1}',
        "x=y",
    ],
)
def test_a_value_comes_back_as_it_was_set(value: str) -> None:
    session = logged_in(f"{OWN}={value}; Path=/", f"other={value}")
    assert sent(session) == f"{OWN}={value}; other={value}"


@pytest.mark.parametrize("value", ["a\x01b", "a\x00b", "a\x7fb", "a\u00f1b", "\udcff"])
def test_a_value_that_cannot_be_sent_is_told_by_the_name_of_its_cookie(value: str) -> None:
    with pytest.raises(
        AuthenticationError, match=f"no {OWN} cookie that can be used: its value has"
    ):
        logged_in(f"{OWN}={value}; Path=/")
    session = logged_in(f"{OWN}=abc")
    assert replied(session, f"{OWN}={value}", f"lang={value}") == session


@pytest.mark.parametrize(
    "twin",
    [
        f"{OWN}=; Max-Age=0; Path=/old",
        f"{OWN}=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/old",
        f"{OWN}=; Max-Age=0; Path=/",
        f"{OWN}=; Max-Age=-1; Path=/; Domain=.interpals.net",
        f"{OWN}=; Max-Age=0; Path=/; Domain=api.interpals.net",
    ],
)
def test_the_deletion_of_a_twin_takes_nothing_away(twin: str) -> None:
    new = f"{OWN}=new; Path=/"
    domain = f"{OWN}=new; Path=/; Domain=interpals.net"
    wanted = domain if "Domain" not in twin and "/old" not in twin else new
    assert sent(logged_in(wanted, twin)) == f"{OWN}=new"
    assert sent(logged_in(twin, wanted)) == f"{OWN}=new"
    session = replied(logged_in(f"{OWN}=old; Path=/"), wanted, twin)
    assert sent(session) == f"{OWN}=new"
    assert sent(replied(session, twin)) == f"{OWN}=new"


def test_another_cookie_is_told_from_its_twins_too() -> None:
    session = logged_in(f"{OWN}=abc", "lang=de; Path=/; Domain=interpals.net")
    assert replied(session, "lang=; Max-Age=0; Path=/", "lang=; Max-Age=0; Path=/v1") == session
    gone = replied(session, "lang=; Max-Age=0; Path=/; Domain=interpals.net")
    assert sent(gone) == f"{OWN}=abc"


def test_the_newest_cookie_of_the_session_is_the_session() -> None:
    session = logged_in(f"{OWN}=one; Path=/; Domain=interpals.net")
    session = replied(session, f"{OWN}=two; Path=/", "lang=en; Path=/")
    assert sent(session) == f"{OWN}=two; lang=en"
    session = replied(session, f"{OWN}=three; Path=/; Domain=interpals.net")
    assert sent(session) == f"{OWN}=three; lang=en"


def test_the_own_cookie_of_a_session_is_never_deleted() -> None:
    session = logged_in(f"{OWN}=abc; Path=/")
    for text in ("; Max-Age=0; Path=/", "deleted; Expires=Wed, 01 Jan 2020 00:00:00 GMT; Path=/"):
        assert replied(session, f"{OWN}={text}") == session
    assert sent(replied(session, f"{OWN}=new; Path=/", f"{OWN}=; Max-Age=0; Path=/")) == (
        f"{OWN}=abc"
    )
    with pytest.raises(AuthenticationError, match=f"no {OWN} cookie that can be used: it is del"):
        logged_in(f"{OWN}=new; Path=/", f"{OWN}=; Max-Age=0; Path=/")
    with pytest.raises(AuthenticationError, match=f"no {OWN} cookie$"):
        logged_in("lang=en")


def test_a_path_says_what_a_cookie_is_sent_to() -> None:
    session = logged_in(
        f"{OWN}=abc; Path=/", "a=1; Path=/v1/feed", "a=2; Path=/", "b=3; Path=v1", "c=4; Path=/v1/"
    )
    assert sent(session) == f"{OWN}=abc; a=2; b=3; c=4"
    assert sent(session, "/v1/feed/x?y=/z") == f"{OWN}=abc; a=1; a=2; b=3; c=4"
    assert sent(session, "/v1/feedback") == f"{OWN}=abc; a=2; b=3; c=4"
    assert sent(session, "/v2") == f"{OWN}=abc; a=2"


def test_the_own_cookie_of_a_session_goes_with_each_of_its_requests() -> None:
    for attributes in ("", "; Path=/", "; Path=/v1", "; Path=/v1/account"):
        session = replied(logged_in(f"{OWN}=old; Path=/"), f"{OWN}=new{attributes}; Max-Age=60")
        assert sent(session, later=90) == f"{OWN}=new"
        assert sent(session, "/v1/feed") == f"{OWN}=new"
        assert sent(session, "/v2") == f"{OWN}=new"
    session = replied(logged_in(f"{OWN}=old"), f"{OWN}=new", exchange=at("/v1/feed/x"))
    assert sent(session) == f"{OWN}=new"


def test_a_session_cookie_for_other_paths_is_another_cookie() -> None:
    with pytest.raises(AuthenticationError, match="that can be used: it is for the path /v1/token"):
        logged_in(f"{OWN}=abc; Path=/v1/token")
    session = logged_in(f"{OWN}=one; Path=/", f"{OWN}=two; Path=/v1/feed")
    assert session.session_cookie == "one"
    assert sent(session) == f"{OWN}=one"
    assert sent(session, "/v1/feed") == f"{OWN}=two; {OWN}=one"


@pytest.mark.parametrize(
    ("domain", "host", "taken"),
    [
        ("interpals.net", HOST, True),
        (".interpals.net", HOST, True),
        ("API.Interpals.net", HOST, True),
        ("", HOST, True),
        ("example.org", HOST, False),
        ("pi.interpals.net", HOST, False),
        ("net", HOST, False),
        ("localhost", "http://localhost:8000", True),
        ("interpals.net", "http://localhost:8000", False),
        ("127.0.0.1", "http://127.0.0.1:8000", True),
        ("0.0.1", "http://127.0.0.1:8000", False),
        ("[::1]", "http://[::1]:8000", False),
    ],
)
def test_a_domain_has_to_be_the_hosts(domain: str, host: str, taken: bool) -> None:
    header = f"{OWN}=abc; Path=/; Domain={domain}"
    if taken:
        assert logged_in(header, host=host).session_cookie == "abc"
    else:
        with pytest.raises(AuthenticationError, match="that can be used: it is for the domain"):
            logged_in(header, host=host)


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ("Max-Age=60", 60),
        ("max-age = 60", 60),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("Max-Age=0; Max-Age=60", 60),
        ("Expires=Fri, 27 Nov 2026 12:01:00 GMT", 60),
        ("Expires=Friday, 27-Nov-26 12:01:00 GMT", 60),
        ("Expires=27 Nov 2026 12:01:00", 60),
        ("Max-Age=99999999999999999999", 400 * 86400),
        ("Expires=Fri, 27 Nov 9999 12:01:00 GMT", 400 * 86400),
        ("Max-Age=zzz", None),
        ("Max-Age=", None),
        ("Expires=0", None),
        ("Expires=Fri, 31 Feb 2026 12:01:00 GMT", None),
        ("Expires=Fri, 27 Nov 99999 12:01:00 GMT", None),
        ("Expires=Fri, 27 Nov 2026 24:00:00 GMT", None),
        ("Version=7; Port=abc; Comment=x", None),
    ],
)
def test_a_cookie_ends_by_its_age_or_date(attributes: str, seconds: int | None) -> None:
    session = logged_in(f"{OWN}=abc; Path=/", f"lang=en; Path=/; {attributes}")
    assert sent(session) == f"{OWN}=abc; lang=en"
    assert ("lang" in sent(session, later=500 * 86400)) is (seconds is None)
    if seconds is not None:
        assert "lang" in sent(session, later=seconds - 1)
        assert "lang" not in sent(session, later=seconds)


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=0",
        "max-age=-1",
        "Max-Age=-99999999999999999999",
        "Expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "Expires=Thu, 01-Jan-70 00:00:00 GMT",
        "Expires=Friday, 01-Jan-99 00:00:00 GMT",
        "Expires=01 Jan 1990 00:00:00 GMT",
        "Expires=Wed, 25 Nov 2026 00:00:00 GMT",
        "Expires=Wed, 01 Jan 2099 00:00:00 GMT; Expires=Wed, 25 Nov 2026 00:00:00 GMT",
    ],
)
def test_a_cookie_whose_end_is_past_is_deleted(attributes: str) -> None:
    session = logged_in(f"{OWN}=abc; Path=/", "lang=en; Path=/")
    assert sent(replied(session, f"lang=deleted; Path=/; {attributes}")) == f"{OWN}=abc"


def test_a_cookie_that_is_prolonged_with_each_reply_is_no_news_each_time() -> None:
    session = logged_in(f"{OWN}=abc; Path=/; Max-Age=3600")
    soon, later = at()._replace(now=NOW + timedelta(seconds=30)), NOW + timedelta(seconds=90)
    assert replied(session, f"{OWN}=abc; Path=/; Max-Age=3600", exchange=soon) == session
    received = cookies.after_reply(
        session, setting(f"{OWN}=abc; Path=/; Max-Age=3600"), at()._replace(now=later)
    )
    assert received is not None
    assert received.expires == later + timedelta(hours=1)
    assert received.expired == NOW + timedelta(hours=1)


@pytest.mark.parametrize("text", ["flag", "=x", "", ";", "; Path=/", " = x"])
def test_a_cookie_without_a_name_is_none(text: str) -> None:
    session = logged_in(f"{OWN}=abc; Path=/")
    assert replied(session, text) == session


@pytest.mark.parametrize(
    "header",
    [
        "a b=1",
        "\u00ff=1",
        "__Secure-x=1",
        "__Host-x=1; Path=/",
        "__Host-x=1; Secure; Path=/v1",
        "__host-x=1; Secure; Path=/; Domain=interpals.net",
        "x=" + "y" * 4096,
    ],
)
def test_a_cookie_that_browsers_refuse_is_dropped(header: str) -> None:
    session = logged_in(f"{OWN}=abc; Path=/")
    assert replied(session, header, "good=1").cookies == {"good": "1"}


def test_a_cookie_of_the_host_alone_is_kept_with_its_attributes() -> None:
    session = logged_in(
        f"{OWN}=abc; Path=/; HttpOnly", "__Host-x=1; Secure; Path=/; SameSite=LAX; Partitioned"
    )
    assert cookies.cookies_of(session) == [
        StoredCookie(OWN, "abc", "/", http_only=True),
        StoredCookie("__Host-x", "1", "/", secure=True, same_site="lax"),
    ]


def test_a_session_has_fifty_cookies_and_sixteen_kibibytes_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    many = [f"c{n}=secret; Path=/" for n in range(60)]
    session = logged_in(*many, f"{OWN}=abc; Path=/")
    assert session.session_cookie == "abc"
    assert list(session.cookies) == [f"c{n}" for n in range(49)]
    assert [r.getMessage() for r in caplog.records][-1] == (
        "the cookie c59 of a reply was dropped: a session has at most 50"
    )
    large = [f"d{n}={'x' * 4000}; Path=/" for n in range(6)]
    session = logged_in(*large, f"{OWN}={'y' * 9000}; Path=/", "small=1")
    assert list(session.cookies) == ["d0", "small"]
    assert len(session.session_cookie) == 9000
    assert "secret" not in caplog.text
    assert "xxx" not in caplog.text


def test_cookies_of_which_no_attributes_are_known_are_sent_and_replaced() -> None:
    session = Session(
        session_cookie="old", cookies={"lang": "en", "x": "1"}, created_at=NOW, expires_at=None
    )
    assert sent(session, "/anything") == f"{OWN}=old; lang=en; x=1"
    kept = replied(session, "lang=; Max-Age=0; Path=/old", "x=; Max-Age=0; Domain=interpals.net")
    assert kept == session
    new = replied(session, f"{OWN}=new", "lang=de; Path=/v1", "x=; Max-Age=0; Path=/")
    assert sent(new) == f"{OWN}=new; lang=de"
    assert sent(new, "/anything") == f"{OWN}=new"


def test_a_record_that_something_else_has_written_counts_by_its_values() -> None:
    record = logged_in(f"{OWN}=abc; Path=/", "a=1; Path=/v1", "a=2; Path=/", "b=1").to_record()
    record.update(session_cookie="new", cookies={"a": "3", "c": "4"})
    session = Session.from_record(record)
    assert session is not None
    assert sent(session) == f"{OWN}=new; a=3; a=2; c=4"
    odd: Any
    for odd in (None, 5, {}, [5, {}, {"name": "a"}, {"name": "a", "path": "/", "value": 5}]):
        session = Session.from_record({**record, "cookie_attributes": odd})
        assert session is not None
        assert sent(session) == f"{OWN}=new; a=3; c=4"


def test_nothing_of_a_jar_is_shown() -> None:
    received = cookies.after_login(setting(f"{OWN}=hidden", "x=hidden; Path=/"), at("/v1/token"))
    session = session_of(received)
    for value in (received, session, *cookies.cookies_of(session)):
        assert "hidden" not in repr(value)
        assert "hidden" not in str(value)


names = st.text("abcdefgh-_", min_size=1, max_size=3)
values = st.text('abc"\\ =,', max_size=5).map(str.strip)
paths = st.sampled_from(["/", "/v1", "/v1/account", "/v1/feed", "/old"])
domains = st.sampled_from(["", "; Domain=interpals.net", "; Domain=api.interpals.net"])
ends = st.sampled_from(["", "; Max-Age=0", "; Max-Age=5000", "; HttpOnly; Secure; SameSite=Lax"])
settings_of = st.builds(
    lambda name, value, path, domain, end: f"{name}={value}; Path={path}{domain}{end}",
    st.one_of(names, st.just(OWN)),
    values,
    paths,
    domains,
    ends,
)


@settings(deadline=None)
@given(st.lists(settings_of, max_size=12), st.lists(settings_of, max_size=12))
def test_the_jar_keeps_what_the_standard_library_keeps(first: list[str], then: list[str]) -> None:
    """But for the session's own cookie, of which there is one, and which is never deleted."""
    import urllib.request
    from email.message import Message
    from http.cookiejar import CookieJar

    class Reply:
        def __init__(self, headers: list[str]) -> None:
            self.headers = headers

        def info(self) -> Message:
            message = Message()
            for text in self.headers:
                message["Set-Cookie"] = text
            return message

    jar = CookieJar()
    session = logged_in(f"{OWN}=abc; Path=/")
    for headers in (first, then):
        for text in headers:
            # One by one: of one reply it does all deletions before the first setting.
            if not text.startswith(OWN):
                request = urllib.request.Request(HOME)
                jar.extract_cookies(Reply([text]), request)  # type: ignore[arg-type]
        session = replied(session, *headers)
    ours = cookies.cookies_of(session)
    assert {(c.name, c.value, c.path, c.domain) for c in ours if c.name != OWN} == {
        (c.name, c.value, c.path, c.domain.lstrip(".") if c.domain_specified else None) for c in jar
    }
    assert sent(session).count(OWN) == 1
