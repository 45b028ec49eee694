"""Tools that stand in for the network in tests of a bot: vcrpy, pytest-recording, mocket, mocks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.beside import beside_python, environment_of, run_beside

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = """
import asyncio, json, os, sys
from interpal import AsyncInterpalClient, InterpalClient
from interpal.sandbox import Sandbox

def blocking(base_url):
    with InterpalClient("maple_ink", "correct horse", auto_login=True, base_url=base_url,
                        max_retries=0, timeout=30) as client:
        return client.get_self()["name"], len(client.get_threads())

def awaited(base_url):
    async def main():
        async with AsyncInterpalClient("maple_ink", "correct horse", auto_login=True,
                                       base_url=base_url, max_retries=0, timeout=30) as client:
            return (await client.get_self())["name"], len(await client.get_threads())
    return asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_what_vcrpy_recorded_is_played_without_a_server(kind: str, tmp_path: Path) -> None:
    script = f"""{CLIENTS}
import vcr
# As docs/testing.md has it.
recorder = vcr.VCR(
    filter_headers=["Cookie", "X-Auth-Token"],
    filter_post_data_parameters=["password"],
    before_record_response=lambda reply: hidden(reply),
)
def hidden(reply):
    headers = {{name: value for name, value in reply["headers"].items()
               if name.lower() not in ("set-cookie", "x-auth-token")}}
    if b"auth_token" not in reply["body"]["string"]:
        return {{**reply, "headers": headers}}
    headers["Set-Cookie"] = ["interpals_sessid=recorded; Path=/"]
    body = {{**json.loads(reply["body"]["string"]), "auth_token": "recorded"}}
    body = json.dumps(body).encode()
    headers["Content-Length"] = [str(len(body))]
    return {{**reply, "headers": headers, "body": {{"string": body}}}}
with Sandbox() as site:
    with recorder.use_cassette("tape.yaml"):
        first = {kind}(site.base_url)
    base_url = site.base_url
with recorder.use_cassette("tape.yaml", record_mode="none") as tape:
    second = {kind}(base_url)
text = open("tape.yaml").read()
shown = [word for word in ("correct+horse", "correct horse") if word in text]
cookies = text.count("interpals_sessid=") - text.count("interpals_sessid=recorded")
print(json.dumps([first == second, tape.play_count, shown, cookies]))
"""
    assert run_beside(script, folder=tmp_path) == [True, 3, [], 0]


def test_pytest_recording_records_and_plays(tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(f"""{CLIENTS}
import pytest

@pytest.mark.vcr
def test_it_greets():
    assert blocking(os.environ["SITE"])[0] == "Runa"
""")
    script = """
import json, os, subprocess, sys
from interpal.sandbox import Sandbox
run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bot.py"]
with Sandbox() as site:
    os.environ["SITE"] = site.base_url
    first = subprocess.run([*run, "--record-mode=once"])
second = subprocess.run([*run, "--record-mode=none", "--block-network"])
print(json.dumps([first.returncode, second.returncode]))
"""
    assert run_beside(script, folder=tmp_path) == [0, 0]


def test_mocket_answers_in_the_place_of_the_site(tmp_path: Path) -> None:
    script = f"""{CLIENTS}
from mocket import mocketize
from mocket.mocks.mockhttp import Entry
URL = "https://api.interpals.net"
@mocketize
def main():
    Entry.single_register(Entry.POST, URL + "/v1/token",
                          body=json.dumps({{"auth_token": "t", "uid": "7"}}), status=201,
                          headers={{"Set-Cookie": "interpals_sessid=abc; path=/"}})
    Entry.single_register(Entry.GET, URL + "/v1/account/self",
                          body=json.dumps({{"id": "7", "username": "maple_ink", "name": "Runa"}}))
    with InterpalClient("maple_ink", "correct horse", auto_login=True, base_url=URL,
                        max_retries=0) as client:
        print(json.dumps(client.get_self()["name"]))
main()
"""
    assert run_beside(script, folder=tmp_path) == "Runa"


def test_a_reply_that_a_test_has_made_is_taken(tmp_path: Path) -> None:
    script = f"""{CLIENTS}
from unittest import mock
import requests
def reply(status, **body):
    made = requests.Response()
    made.status_code, made._content = status, json.dumps(body).encode()
    made.headers["Set-Cookie"] = "interpals_sessid=abc"
    return made
replies = [reply(201, auth_token="t", uid="7"), reply(200, id="7", username="maple_ink")]
with mock.patch("requests.Session.send", side_effect=replies):
    client = InterpalClient("maple_ink", "correct horse", auto_login=True,
                            base_url="https://api.interpals.net", max_retries=0)
    print(json.dumps([client.get_self()["username"], client.session.session_cookie]))
"""
    assert run_beside(script, folder=tmp_path) == ["maple_ink", "abc"]


def test_a_mock_of_everything_ends_at_once(tmp_path: Path) -> None:
    script = f"""{CLIENTS}
from unittest import mock
with mock.patch("requests.Session.send") as send:
    send.return_value = mock.MagicMock(status_code=200, headers={{}})
    client = InterpalClient(session_cookie="abc", base_url="https://api.interpals.net",
                            max_retries=0)
    print(json.dumps(client.get("/v1/x")))
"""
    assert run_beside(script, folder=tmp_path, seconds=20) is None


def test_pytest_finds_the_tools(tmp_path: Path) -> None:
    command = [beside_python(), "-m", "pytest", "--version"]
    subprocess.run(command, cwd=tmp_path, env=environment_of(), check=True, capture_output=True)
