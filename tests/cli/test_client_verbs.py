"""The verbs of the client, and what they share with it: sessions from a browser and in a CI."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interpal.sandbox import Sandbox
from tests.cli import KEY_TEXT, WHOLE_PROGRAM, WITH_KEY, Program, environment, read_vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "canary password 42"


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox({"maple_ink": PASSWORD, "pedro_k": "radio"}) as sandbox:
        yield sandbox


@pytest.fixture
def whole(tmp_path: Path, site: Sandbox) -> Whole:
    tmp_path.chmod(0o700)
    return Whole(tmp_path, site)


class Whole(Program):
    """The whole program, with a key, and the sandbox as the site."""

    def __init__(self, folder: Path, site: Sandbox) -> None:
        super().__init__(folder, WHOLE_PROGRAM)
        self.env = {**WITH_KEY, "INTERPALS_BASE_URL": site.base_url}

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Any:
        return self(*arguments, env={**self.env, **variables}, stdin=stdin)

    def client(self, code: str, **variables: str) -> str:
        """What a program with a client prints, in a folder and with a home of its own."""
        place = self.folder / "elsewhere"
        place.mkdir(mode=0o700, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=place,
            env={**environment(place), "INTERPALS_BASE_URL": self.env["INTERPALS_BASE_URL"],
                 **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert PASSWORD not in done.stderr
        assert not [name for name in os.listdir(place) if name.startswith(".interpals")]
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


WHO = "from interpal import InterpalClient\nprint(InterpalClient().get_self().username)"


def test_login_keeps_a_session_and_logs_in_only_where_it_is_needed(
    whole: Whole, site: Sandbox
) -> None:
    variables = {"INTERPALS_PASSWORD": PASSWORD}
    first = whole.run("login", "--user", "maple_ink", **variables)
    assert (first.code, "logged in" in first.err) == (0, True), first
    again = whole.run("login", "--user", "maple_ink", **variables)
    assert (again.code, "is alive" in again.err) == (0, True), again
    assert site.stats()["logins"] == {"maple_ink": 1}
    site.invalidate()
    renewed = whole.run("login", "--user", "maple_ink", "--json", **variables)
    assert renewed.json["logged_in"] is True
    forced = whole.run("login", "--user", "maple_ink", "--json", "--force", **variables)
    assert forced.json["logged_in"] is True
    assert site.stats()["logins"] == {"maple_ink": 3}
    assert stat.S_IMODE((whole.folder / ".interpals_session.json").stat().st_mode) == 0o600
    for done in (first, again, renewed, forced):
        assert PASSWORD not in done.out + done.err


def test_login_reads_a_password_file_and_tells_what_is_wrong(whole: Whole, site: Sandbox) -> None:
    file = whole.folder / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    done = whole.run("login", "--password-file", "password", INTERPALS_USERNAME="maple_ink")
    assert done.code == 0, done
    wrong = whole.run("login", "--user", "pedro_k", "--json", INTERPALS_PASSWORD="wrong")
    assert (wrong.code, wrong.error["code"]) == (77, "wrong-password")
    nobody = whole.run("login", "--user", "pedro_k")
    assert nobody.code == 64
    assert "--password-file" in nobody.err
    site.fault("/v1/token", drop=True, times=9)
    away = whole.run("login", "--user", "pedro_k", "--json", INTERPALS_PASSWORD="radio")
    assert (away.code, away.error["code"]) == (69, "network")


def test_login_asks_on_a_terminal_without_showing_the_password(whole: Whole) -> None:
    with whole.terminal("login", env=whole.env) as run:
        run.answer("Username: ", "maple_ink")
        run.answer("Password of maple_ink: ", PASSWORD)
        assert run.end() == 0
        assert "logged in" in run.screen
        assert PASSWORD not in run.screen


def test_a_vault_with_a_passphrase_is_asked_for_it(whole: Whole) -> None:
    env = {"INTERPALS_BASE_URL": whole.env["INTERPALS_BASE_URL"]}
    with whole.terminal("login", "--user", "maple_ink", "--passphrase",
                        env={**env, "INTERPALS_PASSWORD": PASSWORD}) as run:  # fmt: skip
        run.answer("New passphrase for", "a long passphrase")
        run.answer("Repeat passphrase: ", "a long passphrase")
        assert run.end() == 0, run.screen
    with whole.terminal("check", env=env) as run:
        run.answer("Passphrase for", "a long passphrase")
        assert run.end() == 0, run.screen
        assert "alive" in run.screen


def test_check_asks_the_server_and_says_it_by_its_exit_code(whole: Whole, site: Sandbox) -> None:
    for name, password in (("maple_ink", PASSWORD), ("pedro_k", "radio")):
        assert whole.run("login", "--user", name, INTERPALS_PASSWORD=password).code == 0
    alive = whole.run("check", "--json")
    assert alive.code == 0
    assert [one["state"] for one in alive.json["accounts"]] == ["alive", "alive"]
    site.fault("/v1/account/self", status=503, times=9)
    away = whole.run("check", "--user", "pedro_k")
    assert away.code == 69
    assert "unknown" in away.out
    site._site.faults.clear()
    site.invalidate("pedro_k")
    ended = whole.run("check", "--json")
    assert ended.code == 1
    assert [one["state"] for one in ended.json["accounts"]] == ["alive", "ended"]
    assert site.stats()["logins"] == {"maple_ink": 1, "pedro_k": 1}
    # It stays, and the exit code with it.
    assert whole.run("check", "--user", "pedro_k").code == 1
    assert whole.run("check", "--user", "nobody").code == 66


def test_request_prints_the_reply(whole: Whole, site: Sandbox) -> None:
    whole.run("login", "--user", "maple_ink", INTERPALS_PASSWORD=PASSWORD)
    assert whole.run("request", "GET", "/v1/account/self").json["username"] == "maple_ink"
    found = whole.run("request", "get", "/v1/user/self/threads", "-p", "limit=1").json
    assert len(found) == 1
    thread = found[0]["id"]
    sent = whole.run(
        "request", "POST", "/v1/message", "-d", f"thread_id={thread}", "-d", "message=a=b \u00e9"
    )
    assert sent.json["message"] == "a=b \u00e9"
    body = json.dumps({"thread_id": thread, "message": "from stdin"})
    assert whole.run("request", "POST", "/v1/message", "--json-body", "-", stdin=body).code == 0
    assert site.messages()[-1]["message"] == "from stdin"
    missing = whole.run("request", "GET", "/v1/user/17")
    assert (missing.code, missing.out) == (76, "")
    for wrong in (["-d", "x"], ["-d", "a=1", "--json-body", "{}"], ["--json-body", "{"],
                  ["-p", "a=1", "-p", "a=2"]):  # fmt: skip
        assert whole.run("request", "POST", "/v1/message", *wrong).code == 64, wrong
    assert whole.run("request", "GET", "https://example.org/").code == 64
    site.fault("/v1/feed", status=429, headers={"Retry-After": "900"})
    assert whole.run("request", "GET", "/v1/feed").code == 75
    site.invalidate()
    assert whole.run("request", "GET", "/v1/account/self").code == 77


# Sessions from a browser.


def netscape(cookie: str) -> str:
    return (
        "# Netscape HTTP Cookie File\n# http://curl.se/docs/http-cookies.html\n\n"
        ".example.org\tTRUE\t/\tFALSE\t0\tinterpals_sessid\tanother\n"
        f"#HttpOnly_127.0.0.1\tFALSE\t/\tTRUE\t0\tinterpals_sessid\t{cookie}\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tlt\tremember\n"
    )


def har(cookie: str, base_url: str, token: str) -> str:
    request = {
        "method": "GET",
        "url": f"{base_url}/v1/account/self",
        "headers": [
            {"name": "x-auth-token", "value": token},
            {"name": "cookie", "value": f"interpals_sessid={cookie}; lt=remember"},
        ],
        "cookies": [],
    }
    stranger = {
        "url": "https://example.org/",
        "headers": [],
        "cookies": [{"name": "interpals_sessid", "value": "x"}],
    }
    entries = [{"request": one, "response": {"cookies": []}} for one in (request, stranger)]
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


def extension(cookie: str) -> list[dict[str, Any]]:
    usual = {"path": "/", "secure": True, "httpOnly": True, "session": False}
    ends = {"expirationDate": 4102444800.5}
    return [
        {**usual, "domain": "127.0.0.1", "name": "interpals_sessid", "value": cookie, **ends},
        {**usual, "domain": "127.0.0.1", "name": "lt", "value": "remember", **ends},
        {**usual, "domain": ".example.org", "name": "lt", "value": "another"},
    ]


def test_import_takes_what_a_browser_and_its_extensions_write(whole: Whole, site: Sandbox) -> None:
    opened = site.open_session("maple_ink")
    cookie, token = opened["session_cookie"], opened["auth_token"]
    forms = {
        "cookies.txt": netscape(cookie),
        "list.json": json.dumps(extension(cookie)),
        "state.json": json.dumps({"cookies": extension(cookie), "origins": []}),
        "site.har": har(cookie, site.base_url, token),
        "names.json": json.dumps({"interpals_sessid": cookie, "lt": "remember"}),
    }
    for name, text in forms.items():
        (whole.folder / name).write_text(text)
        done = whole.run("import", name, "--user", "maple_ink", "-f", f"{name}.vault")
        assert done.code == 0, (name, done)
        assert cookie not in done.out + done.err
        record = read_vault(whole.folder / f"{name}.vault")["maple_ink"]
        assert record["session_cookie"] == cookie, name
        assert record["cookies"] == {"lt": "remember"}, name
        assert record["origin"] == site.base_url
        assert record["auth_token"] == (token if name == "site.har" else None)
        assert whole.run("check", "-f", f"{name}.vault").code == 0, name
    done = whole.run("import", "names.json", "--remove-source", "-f", "fresh.vault")
    assert done.code == 0, done
    assert not (whole.folder / "names.json").exists()
    assert list(read_vault(whole.folder / "fresh.vault")) == ["default"]
    assert whole.run("check", "-f", "fresh.vault").code == 0


def test_a_file_without_a_session_says_what_is_missing(whole: Whole) -> None:
    past = "127.0.0.1\tFALSE\t/\tTRUE\t1500000000\tinterpals_sessid\tsecretvalue\n"
    cases = {
        "other.txt": (".example.org\tTRUE\t/\tFALSE\t0\ta\tsecretvalue\n", "log in there first"),
        "past.txt": (past, "ended on 2017-07-14"),
        "clean.har": (json.dumps({"log": {"entries": []}}), "sensitive data"),
        "notes.txt": ("my notes: secretvalue\n", "nor cookies of a browser"),
    }
    for name, (text, told) in cases.items():
        (whole.folder / name).write_text(text)
        done = whole.run("import", name)
        assert done.code == 65, (name, done)
        assert told in done.err, (name, done.err)
        assert "secretvalue" not in done.err
        assert not (whole.folder / ".interpals_session.json").exists()


# A line for a CI, and what `exec` sets.


def test_a_ci_resumes_from_one_encrypted_line(whole: Whole, site: Sandbox) -> None:
    whole.run("login", "--user", "maple_ink", INTERPALS_PASSWORD=PASSWORD)
    assert whole.run("keygen", "-o", "ci.key").code == 0
    key = (whole.folder / "ci.key").read_text().strip()
    done = whole.run("export", "--ci", "--key-file", "ci.key")
    line = done.out.strip()
    assert (done.code, done.err, len(line.splitlines())) == (0, "", 1), done
    record = read_vault(whole.folder / ".interpals_session.json")["maple_ink"]
    assert record["session_cookie"] not in line
    env = {"INTERPALS_SESSION": line, "INTERPALS_VAULT_KEY": key}
    assert whole.client(WHO, **env) == "maple_ink"
    assert site.stats()["logins"] == {"maple_ink": 1}
    awaited = (
        "import asyncio\nfrom interpal import AsyncInterpalClient\n"
        "async def main():\n    async with AsyncInterpalClient() as client:\n"
        "        print((await client.get_self()).username)\nasyncio.run(main())"
    )
    assert whole.client(awaited, **env) == "maple_ink"
    # The key of the vault does not open it; nor does anything else, and no error shows the line.
    for wrong in ({"INTERPALS_SESSION": line, "INTERPALS_VAULT_KEY": KEY_TEXT},
                  {"INTERPALS_SESSION": line}, {**env, "INTERPALS_SESSION": line[:-8]},
                  {**env, "INTERPALS_SESSION": ""}):  # fmt: skip
        said = whole.client(WHO, **wrong)
        assert said.startswith("interpal.exceptions."), said
        assert line[20:60] not in said
    # It is maple_ink's: a client of another account has its own way in.
    other = WHO.replace("InterpalClient()", "InterpalClient('pedro_k', 'radio', auto_login=True)")
    assert whole.client(other, **env) == "pedro_k"


def test_the_line_needs_a_raw_key(whole: Whole) -> None:
    env = {"INTERPALS_VAULT_KEY": "", "INTERPALS_VAULT_PASSPHRASE": "a long passphrase"}
    del env["INTERPALS_VAULT_KEY"]
    base = {"INTERPALS_BASE_URL": whole.env["INTERPALS_BASE_URL"], **env}
    done = whole("login", "--user", "maple_ink", env={**base, "INTERPALS_PASSWORD": PASSWORD})
    assert done.code == 0, done
    refused = whole("export", "--ci", env=base)
    assert refused.code == 64
    assert "keygen" in refused.err
    for form in (["--plaintext"], ["--profile", "strong"]):
        assert whole("export", "--ci", *form, env=base).code == 64
    assert whole("export", "--key-file", "x", "-o", "y", env=base).code == 64


def test_the_client_reads_what_exec_sets(whole: Whole, site: Sandbox) -> None:
    whole.run("login", "--user", "maple_ink", INTERPALS_PASSWORD=PASSWORD)
    done = whole.run("exec", "--", sys.executable, "-c", WHO, INTERPALS_SESSION="another")
    assert (done.out, done.code) == ("maple_ink\n", 0), done
    assert site.stats()["logins"] == {"maple_ink": 1}
    show = "import os; print(os.environ['INTERPALS_SESSION_ORIGIN'])"
    assert whole.run("exec", "--", sys.executable, "-c", show).out.strip() == site.base_url
    cookie = site.open_session("maple_ink")["session_cookie"]
    mine = {"INTERPALS_SESSION_COOKIE": cookie, "INTERPALS_USERNAME": "maple_ink"}
    assert whole.client(WHO, **mine) == "maple_ink"
    # A session of another site is sent nowhere, nor is another account's used.
    said = whole.client(WHO, **mine, INTERPALS_SESSION_ORIGIN="https://api.interpals.net")
    assert "there is no session" in said
    other = WHO.replace("InterpalClient()", "InterpalClient('pedro_k')")
    assert "there is no session" in whole.client(other, **mine)
    # What the program itself hands over wins.
    theirs = site.open_session("pedro_k")["session_cookie"]
    given = WHO.replace("InterpalClient()", f"InterpalClient(session_cookie={theirs!r})")
    assert whole.client(given, **mine) == "pedro_k"
    both = whole.client(WHO, **mine, INTERPALS_SESSION="x")
    assert "both set" in both


def test_import_session_takes_the_same_forms(site: Sandbox, tmp_path: Path) -> None:
    from interpal import InterpalClient, ValidationError

    opened = site.open_session("maple_ink")
    cookie, token = opened["session_cookie"], opened["auth_token"]
    file = tmp_path / "cookies.txt"
    file.write_text(netscape(cookie))
    forms: list[Any] = [
        file,
        netscape(cookie),
        extension(cookie),
        {"interpals_sessid": cookie, "lt": "remember"},
        {"cookies": extension(cookie)},
        json.loads(har(cookie, site.base_url, token)),
        har(cookie, site.base_url, token),
    ]
    for form in forms:
        client = InterpalClient(base_url=site.base_url)
        client.import_session(form)
        assert client.session is not None
        assert dict(client.session.cookies) == {"lt": "remember"}
        assert client.get_self().username == "maple_ink"
    wrongs: list[Any] = [[], {"a": "b"}, "{", "a\tb", [1], {"log": {}}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            InterpalClient(base_url=site.base_url).import_session(wrong)


def test_a_client_loads_none_of_it(site: Sandbox, whole: Whole) -> None:
    loaded = (
        "import sys\nfrom interpal import InterpalClient\n"
        "with InterpalClient('maple_ink', sys.argv[-1], auto_login=True) as client: pass\n"
        "print([name for name in sys.modules if name.startswith(('interpal.cli.', 'click', "
        "'interpal.vault.one_line', 'interpal.sessions.browser', 'interpal.flows.env'))])"
    ).replace("sys.argv[-1]", repr(PASSWORD))
    assert whole.client(loaded) == "[]"
