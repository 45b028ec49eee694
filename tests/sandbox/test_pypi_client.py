"""The unmodified PyPI `interpal` 1.2.0 against the sandbox."""

from __future__ import annotations

import datetime
import json
import stat
from typing import TYPE_CHECKING

from tests.sandbox.peer import plain_session_file, run_peer

if TYPE_CHECKING:
    from pathlib import Path

    from interpal.sandbox import Sandbox

WORK = """
import json
client = InterpalClient(username="maple_ink", password="secret", auto_login=True,
                        persist_session=True)
profile = client.get_self()
threads = client.get_threads()
messages = client.messages.get_thread_messages(threads[0].id)
sent = client.send_message(threads[0].id, "Hello from 1.2.0")
found = client.search_users(query="porto")
print(json.dumps({
    "valid": client.validate_session(),
    "id": profile.id, "name": profile.username, "bot_id": client.bot_id,
    "threads": [thread.user.username for thread in threads],
    "created": [str(thread.created_at) for thread in threads],
    "messages": [message.content for message in messages],
    "times": [str(message.timestamp) for message in messages],
    "sent": [sent.content, sent.sender_id],
    "found": [person.name for person in found],
    "feed": len(client.get_feed()),
    "notifications": [notice["actor"]["name"] for notice in client.get_notifications()],
    "cookie": client.auth.session_cookie,
}))
"""

RESUME = """
import json
client = InterpalClient(username="maple_ink", password="secret", auto_login=True,
                        persist_session=True)
threads = client.get_threads()
messages = client.messages.get_thread_messages(threads[0].id)
print(json.dumps({"messages": [message.content for message in messages],
                  "cookie": client.auth.session_cookie}))
"""

RESUME_WITHOUT_PASSWORD = """
import json
from interpal.exceptions import AuthenticationError
client = InterpalClient(persist_session=True)
name = client.get_self().username
import requests
requests.post(BASE + "/_sandbox/invalidate", json={"username": name}, headers=CONTROL)
try:
    client.get_self()
except AuthenticationError as error:
    print(json.dumps({"name": name, "status": error.status_code,
                      "valid": client.validate_session()}))
"""

ASYNC = """
import asyncio, json
async def work():
    client = AsyncInterpalClient(username="maple_ink", password="secret")
    client.login()
    profile = await client.get_self()
    threads = await client.get_threads()
    await client.close()
    return {"name": profile.username, "threads": [thread.user.username for thread in threads]}
print(json.dumps(asyncio.run(work())))
"""

LISTEN = """
import asyncio, json
async def work():
    client = AsyncInterpalClient(username="maple_ink", password="secret")
    client.login()
    import requests
    heard = asyncio.get_running_loop().create_future()
    @client.event("on_message")
    async def on_message(event):
        if not heard.done():
            heard.set_result(event)
    await client.connect_websocket()
    requests.post(BASE + "/_sandbox/say", json={"username": "lin.m", "text": "Live"},
                  headers=CONTROL)
    event = await asyncio.wait_for(heard, 10)
    await client.disconnect_websocket()
    await client.close()
    return {"sender": event.sender.username, "message": event.message}
print(json.dumps(asyncio.run(work())))
"""

WRONG_PASSWORD = """
import json
from interpal.exceptions import AuthenticationError
try:
    InterpalClient(username="maple_ink", password="wrong", auto_login=True)
except AuthenticationError as error:
    print(json.dumps({"status": error.status_code}))
"""


def test_it_logs_in_works_and_resumes_without_another_login(site: Sandbox, tmp_path: Path) -> None:
    first = run_peer(site.base_url, WORK, folder=tmp_path)
    second = run_peer(site.base_url, RESUME, folder=tmp_path)

    assert first["valid"]
    assert first["name"] == "maple_ink"
    assert first["id"] == first["bot_id"] == first["sent"][1]
    assert set(first["threads"]) == {"pedro_k", "lin.m"}
    assert all(first["messages"])
    assert "None" not in first["created"] + first["times"]
    assert first["sent"][0] == "Hello from 1.2.0"
    assert first["found"] == ["Pedro"]
    assert first["feed"] > 0
    assert first["notifications"] == ["Pedro"]
    assert second["messages"][0] == "Hello from 1.2.0"
    assert second["cookie"] == first["cookie"]
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_after_invalidation_it_gets_an_authentication_error_of_401(
    site: Sandbox, tmp_path: Path
) -> None:
    plain_session_file(site.base_url, "maple_ink", "secret", folder=tmp_path)
    found = run_peer(site.base_url, RESUME_WITHOUT_PASSWORD, folder=tmp_path)

    assert found == {"name": "maple_ink", "status": 401, "valid": False}
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_a_wrong_password_is_its_authentication_error_of_401(site: Sandbox, tmp_path: Path) -> None:
    assert run_peer(site.base_url, WRONG_PASSWORD, folder=tmp_path) == {"status": 401}


def test_its_asynchronous_client_works_too(site: Sandbox, tmp_path: Path) -> None:
    found = run_peer(site.base_url, ASYNC, folder=tmp_path)
    assert found["name"] == "maple_ink"
    assert set(found["threads"]) == {"pedro_k", "lin.m"}


def test_its_web_socket_hears_a_message(site: Sandbox, tmp_path: Path) -> None:
    assert run_peer(site.base_url, LISTEN, folder=tmp_path) == {
        "sender": "lin.m",
        "message": "Live",
    }


def test_its_plain_file_looks_as_the_importer_expects(site: Sandbox, tmp_path: Path) -> None:
    path = plain_session_file(site.base_url, "name@example.org", "mail", folder=tmp_path)
    text = path.read_text()
    record = json.loads(text)

    assert list(record) == [
        "session_cookie", "auth_token", "username", "bot_id", "created_at", "expires_at",
    ]  # fmt: skip
    assert text == json.dumps(record, indent=2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert record["username"] == "name@example.org"
    assert len(record["session_cookie"]) == 26
    assert record["auth_token"].count(".") == 2
    assert len(record["bot_id"]) == 19
    created = datetime.datetime.fromisoformat(record["created_at"])
    expires = datetime.datetime.fromisoformat(record["expires_at"])
    assert created.tzinfo is expires.tzinfo is None
    assert (
        datetime.timedelta()
        < expires - created - datetime.timedelta(hours=24)
        < (datetime.timedelta(seconds=1))
    )
