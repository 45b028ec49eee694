"""What a signed-in user sees and does: docs/sandbox.md, rules 6 to 19."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from interpal.sandbox import Sandbox
from tests.sandbox.web import User

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = re.compile(r"\d{19}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def user(site: Sandbox) -> User:
    return User(site)


def members(value: object) -> Iterator[tuple[str, Any]]:
    """Yield every member of every object inside a JSON value."""
    if isinstance(value, dict):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from members(item)


def test_the_own_profile_is_bare(user: User) -> None:
    profile = user.get("/v1/account/self")
    assert profile["username"] == "maple_ink"
    assert profile["id"] == user.id
    assert profile["name"] == "Runa"


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_the_own_profile_can_be_changed_by_form_and_json(user: User, method: str) -> None:
    form = {
        "name": "Rúna",
        "age": "30",
        "is_online": "False",
        "about": "Rain.",
        "id": "1",
        "x": "y",
    }
    changed = user.call(method, "/v1/account/self", data=form).json()
    assert changed == user.get("/v1/account/self")
    assert (changed["name"], changed["age"], changed["is_online"]) == ("Rúna", 30, False)
    assert (changed["about"], changed["id"]) == ({"general": "Rain."}, user.id)
    assert "x" not in changed

    changed = user.call(method, "/v1/account/self", json={"city": "Oslo", "is_online": True}).json()
    assert (changed["city"], changed["is_online"]) == ("Oslo", True)
    assert user.call(method, "/v1/account/self", data={"age": "old"}).status_code == 400


def test_profiles_are_found_by_id(user: User) -> None:
    pedro = user.get("/v1/search/user?username=pedro_k")[0]
    assert user.get(f"/v1/account/{pedro['id']}")["name"] == "Pedro"
    assert "relation" not in user.get(f"/v1/profile/{pedro['id']}")
    relation = user.get(f"/v1/profile/{pedro['id']}?extra=relation")["relation"]
    assert (relation["uid"], relation["target_id"]) == (user.id, pedro["id"])
    for path in ("/v1/account/1", "/v1/profile/1", "/v1/user-thread/1", "/v1/thread/1/messages"):
        reply = user.call("GET", path)
        assert reply.status_code == 404
        assert set(reply.json()) == {"error"}


def test_counters_and_settings_answer(user: User) -> None:
    assert user.get("/v1/user-counters")["messages"] > 0
    assert user.get("/v1/settings/self")["language"] == "en"
    assert user.call("PUT", "/v1/settings/self", data={"language": "no"}).json()["language"] == "no"
    assert user.get("/v1/settings/self")["language"] == "no"


def test_threads_are_the_same_bare_list_at_both_paths(user: User) -> None:
    threads = user.get("/v1/user/self/threads")
    assert threads == user.get("/v1/thread")
    assert len(threads) >= 2
    assert user.get("/v1/thread?limit=1&offset=1") == threads[1:2]
    for thread in threads:
        assert thread["uid"] == user.id
        assert thread["user"]["id"] == thread["target_id"]
        assert not {"last_message", "participants", "users"} & set(thread)
    assert user.call("GET", "/v1/thread?limit=some").status_code == 400


def test_ids_are_strings_of_19_digits_and_times_end_in_z(user: User) -> None:
    tid = user.get("/v1/thread")[0]["id"]
    pages = [
        "account/self", "thread", f"thread/{tid}/messages", "search/user", "feed", "notification",
    ]  # fmt: skip
    found = [member for page in pages for member in members(user.get(f"/v1/{page}"))]
    made_by_clients = {"tmp_id", "fake_id"}
    ids = [value for name, value in found if name.endswith("id") and name not in made_by_clients]
    times = [value for name, value in found if name.startswith(("created", "last_login"))]
    assert len(ids) > 30
    assert len(times) > 15
    assert all(ID.fullmatch(value) for value in ids)
    assert all(TIME.fullmatch(value) for value in times)


def test_messages_are_served_at_both_paths_newest_first(user: User) -> None:
    thread = user.get("/v1/user/self/threads")[0]
    messages = user.get(f"/v1/thread/{thread['id']}/messages")
    assert messages == user.get(f"/v1/thread/{thread['id']}")
    assert messages[0]["id"] == thread["last_msg_id"]
    assert len(messages) == thread["total"]
    assert user.get(f"/v1/thread/{thread['id']}?limit=1&offset=1") == messages[1:2]
    for message in messages:
        assert message["content"] == message["message"]
        assert message["created_at"] == message["created"]
        assert message["sender"]["id"] == message["sender_id"]


@pytest.mark.parametrize("kind", ["data", "json"])
def test_a_message_is_stored_once_and_echoes_its_tmp_id(
    site: Sandbox, user: User, kind: str
) -> None:
    thread = user.get("/v1/thread")[0]
    body = {"thread_id": thread["id"], "message": "Hei på deg!", "tmp_id": "q7zd"}
    reply = user.call("POST", "/v1/message", **{kind: body})

    assert reply.status_code == 201
    message = reply.json()
    assert (message["message"], message["tmp_id"], message["fake_id"]) == (
        "Hei på deg!",
        "q7zd",
        "",
    )
    assert message["sender_id"] == user.id
    assert user.get(f"/v1/thread/{thread['id']}/messages")[0]["id"] == message["id"]
    assert site.messages() == site.messages(thread["id"]) == [message]
    assert site.messages("1") == []
    token = {"Authorization": f"Bearer {site.control_token}"}
    assert user.get("/_sandbox/messages", headers=token) == [message]
    path = f"/_sandbox/messages?thread_id={thread['id']}"
    assert user.get(path, headers=token) == [message]


def test_a_gif_needs_no_text_and_an_empty_message_is_refused(user: User) -> None:
    tid = user.get("/v1/thread")[0]["id"]
    gif = {"attachment_type": "gif", "gif_attachment_url": "http://127.0.0.1/x.gif"}
    reply = user.call("POST", "/v1/message", data={"thread_id": tid, **gif})
    assert reply.json()["attachments"][0]["type"] == "gif"
    assert user.call("POST", "/v1/message", data={"thread_id": tid}).status_code == 400
    assert (
        user.call("POST", "/v1/message", data={"thread_id": "1", "message": "x"}).status_code == 404
    )


def test_the_thread_with_a_user_is_made_where_there_is_none(user: User) -> None:
    jonas = user.get("/v1/search/user?username=jonas.b")[0]["id"]
    thread = user.get(f"/v1/user-thread/{jonas}?extra=user.relation")
    assert thread["total"] == 0
    assert thread["user"]["relation"]["target_id"] == jonas
    assert user.get(f"/v1/user-thread/{jonas}")["id"] == thread["id"]
    assert user.get(f"/v1/thread/user/{jonas}")["id"] == thread["id"]
    reply = user.call("POST", "/v1/message", data={"recipient_id": jonas, "content": "Hallo"})
    assert reply.json()["thread_id"] == thread["id"]


def test_both_accounts_of_a_thread_see_a_message_and_only_they(site: Sandbox, user: User) -> None:
    pedro, stranger = User(site, "pedro_k", "radio"), User(site, "name", "mail")
    tid = user.get(f"/v1/user-thread/{pedro.id}")["id"]
    before = pedro.get(f"/v1/user-thread/{user.id}")["new"]
    user.call("POST", "/v1/message", data={"thread_id": tid, "message": "Olá"})

    assert pedro.get(f"/v1/thread/{tid}")[0]["message"] == "Olá"
    assert pedro.get("/v1/thread")[0]["new"] == before + 1
    assert (
        pedro.call("PUT", f"/v1/thread/{tid}/viewed", data={"message_id": "1"}).status_code == 204
    )
    assert pedro.get("/v1/thread")[0]["new"] == 0
    assert stranger.call("GET", f"/v1/thread/{tid}").status_code == 404
    assert stranger.call("PUT", f"/v1/thread/{tid}/viewed").status_code == 404


def test_typing_and_deleting_answer_without_a_body(user: User) -> None:
    thread = user.get("/v1/thread")[0]
    for body in ({"typing": "True"}, {"delay": "3000"}):
        reply = user.call("PUT", f"/v1/thread/{thread['id']}/typing", data=body)
        assert (reply.status_code, reply.content) == (204, b"")
    path = f"/v1/message/{thread['last_msg_id']}?thread_id={thread['id']}"
    reply = user.call("DELETE", path)
    assert (reply.status_code, reply.content) == (204, b"")
    assert user.call("DELETE", path).status_code == 404
    assert user.get(f"/v1/user-thread/{thread['target_id']}")["total"] == thread["total"] - 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("text=porto", {"pedro_k"}),
        ("age1=30&age2=35", {"pedro_k", "amara_w"}),
        ("sex=female&online=True", {"lin.m", "amara_w"}),
        ("sex=male&online=False", {"pedro_k", "jonas.b"}),
        ("country=tw", {"lin.m"}),
        ("username=jonas", {"jonas.b"}),
        ("country=XX", set()),
        ("username=maple_ink", set()),
        ("text=porto&offset=1", set()),
    ],
)
def test_search_filters(user: User, query: str, names: set[str]) -> None:
    found = {person["username"] for person in user.get(f"/v1/search/user?{query}")}
    assert found - {"name"} == names


def test_feed_and_notifications_are_bare_lists(user: User) -> None:
    assert [post["post_type"] for post in user.get("/v1/feed?limit=1")] == ["user-post"]
    notices = user.get("/v1/notification/my?unread_only=True")
    assert notices == user.get("/v1/notification")
    assert notices[0]["actor"]["id"] == notices[0]["actor_id"]


def test_an_account_has_the_same_id_in_every_sandbox(user: User) -> None:
    with Sandbox({"jonas.b": "maps", "maple_ink": "secret"}) as other:
        assert User(other).id == user.id


def test_a_large_multipart_form_is_read(user: User) -> None:
    tid = user.get("/v1/thread")[0]["id"]
    text = "x" * 2_000_000
    files = {"thread_id": (None, tid), "message": (None, text), "file": ("a.jpg", b"\xff\xd8")}
    assert user.call("POST", "/v1/message", files=files).json()["message"] == text
