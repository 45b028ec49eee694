"""What is different from PyPI `interpal` 1.2.0: the table of docs/migrating.md.

The tests run each program with the real 1.2.0 and with this package, and compare what it prints
with what stands here. `client` is one that has logged in, in the sandbox; `fault(path, …)` lets
the next request fail, `shown(function)` is its result, or the name of what it raises.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """What is different, as a program that prints it, and what it prints there and here."""

    what: str
    program: str
    there: str
    here: str


DIFFERENCES = (
    Difference(
        "seconds between two requests; `min_interval=1` keeps the old pace",
        "print(client.http._min_request_interval)",
        "1.0",
        "0.0",
    ),
    Difference(
        "tries after the first, where the network fails",
        "print(client.http.max_retries)",
        "3",
        "2",
    ),
    Difference(
        "a call whose connection is reset raises (here it is an `APIError` too)",
        """
        fault("/v1/feed", drop="1", times="9")
        print(shown(client.get_feed))
        """,
        "APIError",
        "CallNetworkError",
    ),
    Difference(
        "a call that is answered 404 raises (here it is an `APIError` too)",
        "print(shown(lambda: client.get_user('17')))",
        "APIError",
        "NotFoundError",
    ),
    Difference(
        "a call in a session that the server has ended, with a password",
        """
        invalidate()
        print(shown(lambda: client.get_self().username))
        """,
        "AuthenticationError",
        "maple_ink",
    ),
    Difference(
        "`login()` where the server answers 429 (here it is an `AuthenticationError` too)",
        """
        fault("/v1/token", status="429")
        print(shown(InterpalClient(username="pedro_k", password="radio").login))
        """,
        "AuthenticationError",
        "LoginRateLimitError",
    ),
    Difference(
        "`login()` without a username (here it is a `ValueError` too)",
        "print(shown(InterpalClient().login))",
        "ValueError",
        "ValidationError",
    ),
    Difference(
        "`validate_session()` where the server answers 503",
        """
        fault("/v1/account/self", status="503", times="9")
        print(shown(client.validate_session))
        """,
        "False",
        "APIError",
    ),
    Difference(
        "what `login()` gives",
        "print(type(InterpalClient(username='pedro_k', password='radio').login()).__name__)",
        "NoneType",
        "Session",
    ),
    Difference(
        "`get_session_info()['time_remaining']`",
        "print(type(client.get_session_info()['time_remaining']).__name__)",
        "str",
        "timedelta",
    ),
    Difference(
        "whether `get_session_info()['expires_at']` is in the local zone, which it does not name",
        "print(client.get_session_info()['expires_at'].tzinfo is None)",
        "True",
        "False",
    ),
    Difference(
        "whether `bot_id` is among the keys of `get_session_info()` (`info['bot_id']` works)",
        "print('bot_id' in list(client.get_session_info()))",
        "True",
        "False",
    ),
    Difference(
        "`SessionManager().load_session()['created_at']`",
        """
        from interpal.session_manager import SessionManager
        manager = SessionManager("other.json")
        manager.save_session("abc123")
        print(type(manager.load_session()['created_at']).__name__)
        """,
        "str",
        "datetime",
    ),
    Difference(
        "the session in use where one is saved and `session_cookie=` is given too",
        """
        client.get_self()
        other = InterpalClient(session_cookie="given", persist_session=True)
        print("given" if other.auth.session_cookie == "given" else "saved")
        """,
        "saved",
        "given",
    ),
    Difference(
        "`session_expiration_hours=0`",
        "print(shown(lambda: InterpalClient(session_expiration_hours=0) and 'accepted'))",
        "accepted",
        "ValidationError",
    ),
    Difference(
        "what saves the session: a file that anybody can read who can read the file",
        """
        with open(".interpals_session.json") as file:
            print(client.auth.session_cookie in file.read())
        """,
        "True",
        "False",
    ),
    Difference(
        "whether a reply is a dict",
        "print(isinstance(client.get_self(), dict))",
        "False",
        "True",
    ),
    Difference(
        "a time of a reply: whether it has no zone (here it is in UTC)",
        "print(client.get_self().last_login.tzinfo is None)",
        "True",
        "False",
    ),
    Difference(
        "`profile['name']` after `profile.name = 'Ru'`",
        """
        profile = client.get_self()
        profile.name = "Ru"
        print(shown(lambda: profile["name"]))
        """,
        "TypeError",
        "Ru",
    ),
    Difference(
        "whether the cookie is sent in the place of a missing token to open live events (here an "
        "`AuthenticationError` says that there is none)",
        """
        import asyncio
        import logging
        logging.disable()
        other = AsyncInterpalClient(session_cookie=saved_cookie)

        async def opened():
            try:
                await asyncio.wait_for(other.start(), 2)
            finally:
                await other.close()

        shown(lambda: asyncio.run(opened()))
        print(any(path.startswith("/v1/ws") for path in requests_made()))
        """,
        "True",
        "False",
    ),
    Difference(
        "`message.content` where the site sends `message`, as it does",
        """
        from interpal.models import Message
        print(Message(data={"id": "1", "message": "Hei"}).content)
        """,
        "None",
        "Hei",
    ),
    Difference(
        "`thread.unread_count` where the site sends `new`, as it does",
        """
        from interpal.models import Thread
        print(Thread(data={"id": "1", "new": 3}).unread_count)
        """,
        "0",
        "3",
    ),
    Difference(
        "a setting that the site did not send",
        "print(client.user.get_settings().push_notifications)",
        "True",
        "None",
    ),
    Difference(
        "an id that was not sent beside others",
        """
        from interpal.models import Message
        print(repr(Message(data={"id": "1"}).sender_id))
        """,
        "''",
        "None",
    ),
    Difference(
        "`get_cached_user(id)` after `get_user(id)`",
        """
        profile = client.get_user(user_id)
        print(client.get_cached_user(profile.id) is profile)
        """,
        "False",
        "True",
    ),
    Difference(
        "whether `upload_photo` waits until the site has the photo",
        """
        photo = client.upload_photo("photo.jpg")
        print(any("upload-status" in path for path in requests_made()))
        """,
        "False",
        "True",
    ),
    Difference(
        "`parse_timestamp` of `interpal.utils`: whether the time has no zone",
        """
        from interpal.utils import parse_timestamp
        print(parse_timestamp("2026-11-22T07:00:00Z").tzinfo is None)
        """,
        "True",
        "False",
    ),
    Difference(
        "an awaited call of a manager of `AsyncInterpalClient`",
        """
        import asyncio
        other = AsyncInterpalClient(username="maple_ink", password="correct horse")
        other.login()

        async def friends():
            try:
                return type(await other.social.get_friends()).__name__
            finally:
                await other.close()

        print(shown(lambda: asyncio.run(friends())))
        """,
        "TypeError",
        "list",
    ),
    Difference(
        "whether a search of `AsyncInterpalClient` finds names",
        """
        import asyncio
        other = AsyncInterpalClient(username="maple_ink", password="correct horse")
        other.login()

        async def names():
            try:
                return [person.name for person in await other.search_users(limit=1)]
            finally:
                await other.close()

        print(shown(lambda: asyncio.run(names())))
        """,
        "[None]",
        "['Pedro']",
    ),
    Difference(
        "whether `interpal.models` is a package, with `interpal.models.message`",
        """
        import interpal.models
        print(hasattr(interpal.models, "__path__"))
        """,
        "True",
        "False",
    ),
    Difference(
        "another server: `AuthManager.BASE_URL`; here `base_url=` or `INTERPALS_BASE_URL`",
        """
        from interpal.auth import AuthManager
        print(hasattr(AuthManager, "BASE_URL"))
        """,
        "True",
        "False",
    ),
    Difference(
        "`WebSocketConfig.PING_INTERVAL` and the like; here `client.live.settings`",
        """
        from interpal.websocket import WebSocketConfig
        print(hasattr(WebSocketConfig, "PING_INTERVAL"))
        """,
        "True",
        "False",
    ),
    Difference(
        "whether `interpal.websocket.ProductionWebSocketClient` is there",
        """
        import interpal.websocket
        print(hasattr(interpal.websocket, "ProductionWebSocketClient"))
        """,
        "True",
        "False",
    ),
)


def difference_table() -> str:
    """The table, as Markdown."""
    rows = ["| what | `interpal` 1.2.0 | here |", "| --- | --- | --- |"]
    rows += [f"| {d.what} | `{d.there}` | `{d.here}` |" for d in DIFFERENCES]
    return "\n".join(rows)
