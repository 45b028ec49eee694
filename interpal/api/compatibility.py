"""Two objects of interpal 1.x that scripts reach into: `client.auth` and `client.http`.

Each is a view of a client: it keeps nothing, so that it is always up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, SupportsIndex

from interpal.flows import arguments, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.api.base import Operations
    from interpal.session import Session
    from interpal.sessions.wait import Flow


class Auth:
    """The session of a client; with no session, everything is None.

    Made without a client, it has one of its own: `AuthManager(user_agent="my-bot/1.0")`.
    """

    __slots__ = ("_client",)

    new_client: ClassVar[Callable[..., Operations]]
    """Makes a client. `interpal.auth` sets it: the clients are built upon this module."""

    def __init__(self, user_agent: str | None = None, *, client: Operations | None = None) -> None:
        self._client: Operations = (
            type(self).new_client(user_agent=user_agent) if client is None else client
        )

    def __repr__(self) -> str:
        return f"<Auth of user {self.bot_id}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a session is secret and cannot be pickled; see export_session()")

    @property
    def _session(self) -> Session | None:
        return self._client.session

    @property
    def session_cookie(self) -> str | None:
        """The value of the session's cookie."""
        return None if self._session is None else self._session.session_cookie

    @property
    def auth_token(self) -> str | None:
        """The session's token."""
        return None if self._session is None else self._session.auth_token

    @property
    def bot_id(self) -> str | None:
        """The id of the account."""
        return None if self._session is None else self._session.user_id

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return self._client._context.user_agent  # noqa: SLF001  (a view of it)

    @property
    def is_authenticated(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    def get_headers(self) -> dict[str, str]:
        """The headers that carry the session, in clear: keep them like a password."""
        context, session = self._client._context, self._session  # noqa: SLF001  (a view of it)
        request = context.self_request()
        return dict(
            (request if session is None else context.authenticated(session, request)).headers
        )

    def login(self, username: str, password: str) -> dict[str, str | None]:
        """`client.login()`; what `export_session` gives."""
        self._run(self._client._login(username, password))  # noqa: SLF001  (a view of it)
        return self.export_session()

    def import_session(
        self, cookie_string: str, auth_token: str | None = None, bot_id: str | None = None
    ) -> None:
        """`client.import_session()`."""
        self._run(
            self._client._import_session(cookie_string, auth_token, bot_id)  # noqa: SLF001
        )

    def export_session(self) -> dict[str, str | None]:
        """`session_cookie, auth_token, bot_id`, in clear; None where there is no session."""
        return {
            "session_cookie": self.session_cookie,
            "auth_token": self.auth_token,
            "bot_id": self.bot_id,
        }

    def validate_session(self) -> bool:
        """Ask the server whether the session lives: see `client.validate_session()`."""
        return True is self._run(request.validate(self._client._context))  # noqa: SLF001  (a view of it)

    def clear_session(self) -> None:
        """Forget the session in use; what is saved stays."""
        self._client._context.change(lambda now: now.log_out())  # noqa: SLF001

    def _run(self, flow: Flow[Any]) -> Any:
        """On the spot, on either client, as in interpal 1.x."""
        client: Any = self._client
        return getattr(client, "_run_plainly", client._run)(flow)  # noqa: SLF001


class HTTPClient:
    """The requests of a client. With `AsyncInterpalClient` they are awaited."""

    __slots__ = ("_client",)

    def __init__(self, auth_manager: Auth, max_retries: int | None = None) -> None:
        self._client = auth_manager._client  # noqa: SLF001  (views of one client)
        if max_retries is not None:
            self.max_retries = max_retries

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._client!r}>"

    @property
    def auth(self) -> Auth:
        """The session that requests are sent with."""
        return Auth(client=self._client)

    @property
    def max_retries(self) -> int:
        """How often a request that can be repeated is sent again: `max_retries=` of a client."""
        return self._client._context.settings.max_retries  # noqa: SLF001  (a view of it)

    @max_retries.setter
    def max_retries(self, value: int) -> None:
        self._change(max_retries=arguments.count("max_retries", value))

    @property
    def _min_request_interval(self) -> float:
        """The seconds between two requests: `min_interval=` of a client."""
        return self._client._context.settings.min_interval  # noqa: SLF001  (a view of it)

    @_min_request_interval.setter
    def _min_request_interval(self, value: float) -> None:
        self._change(min_interval=arguments.seconds("_min_request_interval", value))

    def _change(self, **settings: Any) -> None:
        context = self._client._context  # noqa: SLF001  (a view of it)
        context.settings = context.settings._replace(**settings)

    def request(self, method: str, endpoint: str, **options: Any) -> Any:
        """`client.request(method, endpoint, …)`."""
        return self._asked().request(method, endpoint, **options)

    def get(self, endpoint: str, params: Any = None) -> Any:
        """`client.get(endpoint, params=…)`."""
        return self._asked().get(endpoint, params=params)

    def post(self, endpoint: str, data: Any = None, json: Any = None, **options: Any) -> Any:
        """`client.post(endpoint, data=…, json=…, files=…, headers=…)`."""
        return self._asked().post(endpoint, data=data, json=json, **options)

    def put(self, endpoint: str, data: Any = None, json: Any = None, **options: Any) -> Any:
        """`client.put(endpoint, data=…, json=…, headers=…)`."""
        return self._asked().put(endpoint, data=data, json=json, **options)

    def delete(self, endpoint: str) -> Any:
        """`client.delete(endpoint)`."""
        return self._asked().delete(endpoint)

    def close(self) -> Any:
        """`client.close()`."""
        return self._asked().close()

    def _asked(self) -> Any:
        return self._client


class AsyncHTTPClient(HTTPClient):
    """The requests of an `AsyncInterpalClient`, which are awaited."""

    __slots__ = ()
