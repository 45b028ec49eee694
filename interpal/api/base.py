"""What both clients offer, each operation written once.

An operation is declared as a flow. On `InterpalClient` it is an ordinary method, on
`AsyncInterpalClient` the same method is awaited; the drivers differ in how they run a flow and
in nothing else.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import (  # noqa: TC003  (typing.get_type_hints reads them)
    Callable,
    Mapping,
    Sequence,
)
from functools import partial, update_wrapper
from types import MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeVar,
    overload,
)

from interpal._hidden import Hidden
from interpal._lazy import LateModule
from interpal.exceptions import NetworkError, ValidationError
from interpal.flows import arguments
from interpal.flows.context import DEFAULT_LOGIN_TIMEOUT, ClientContext, Settings
from interpal.session import (
    DEFAULT_LIFETIME_HOURS,
    Session,
    SessionInfo,
    check_expiration_hours,
    to_text,
)
from interpal.session_manager import SessionManager
from interpal.sessions.events import OnEvent  # noqa: TC001
from interpal.sessions.state import ClientState
from interpal.sessions.wait import Flow, patiently
from interpal.transport import origin

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Concatenate, ParamSpec

    from typing_extensions import Self

    from interpal.api.client_cache import ClientCache
    from interpal.api.replies import Make
    from interpal.api.upload import Upload
    from interpal.flows import explicit
    from interpal.flows import request as calls
    from interpal.transport import bodies, environment, protocol
    from interpal.vault.stores import base as stores

    P = ParamSpec("P")
else:
    explicit = LateModule("interpal.flows.explicit")
    calls = LateModule("interpal.flows.request")
    bodies = LateModule("interpal.transport.bodies")
    environment = LateModule("interpal.transport.environment")
    protocol = LateModule("interpal.transport.protocol")
    # `typing.get_type_hints` asks it for a name.
    stores = LateModule("interpal.vault.stores.base")

T = TypeVar("T")


class Blocking:
    """A client whose operations return their result."""

    def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError


class Awaiting:
    """A client whose operations are awaited."""

    async def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError


if TYPE_CHECKING:

    class Operation(Generic[P, T]):
        """A method that is declared as a flow."""

        # For flows that are made of others.
        flow: Callable[Concatenate[Any, P], Flow[T]]

        def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None: ...
        @overload
        def __get__(self, client: None, owner: type) -> Self: ...
        @overload
        def __get__(self, client: Blocking | Topic[Blocking], owner: type) -> Callable[P, T]: ...
        @overload
        def __get__(
            self, client: Awaiting | Topic[Awaiting], owner: type
        ) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, client: Operations | Topic[Any], owner: type) -> Callable[P, Any]: ...
        def __get__(self, client: Any, owner: type) -> Any: ...

    class PlainOperation(Generic[P, T]):
        """An operation that is a plain call on either client."""

        def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None: ...
        @overload
        def __get__(self, client: None, owner: type) -> Self: ...
        @overload
        def __get__(self, client: Operations, owner: type) -> Callable[P, T]: ...
        def __get__(self, client: Any, owner: type) -> Any: ...

else:

    class Operation:
        """A method declared as a flow: calling it hands the flow to the client's driver.

        To `inspect` it is a function, and on the client whose calls are awaited a coroutine
        function: mocks, schedulers and web frameworks go by that.
        """

        _driver = "_run"

        def __init__(self, flow: Callable[..., Flow[Any]]) -> None:
            self.flow = flow
            update_wrapper(self, flow)

        def __set_name__(self, owner: type, name: str) -> None:
            self.__name__ = name
            self.__qualname__ = f"{owner.__name__}.{name}"

        def __get__(self, client: Any, owner: type) -> Any:
            function = self._function(awaited=self._is_awaited(client, owner))
            if issubclass(owner, Operations):
                self._install(owner, function)
            return function if client is None else MethodType(function, client)

        def __call__(self, client: Any, *args: Any, **kwargs: Any) -> Any:
            """Unbound: `InterpalClient.get_self(client)`."""
            return self.__get__(client, type(client))(*args, **kwargs)

        def _install(self, owner: type, function: Callable[..., Any]) -> None:
            """Put the function in the place of this object into the client's class.

            What looks into a class for its functions, as mocks do for signatures, finds it.
            """
            clients = [c for c in owner.__mro__ if issubclass(c, (Blocking, Awaiting))]
            clients = [c for c in clients if issubclass(c, Operations)]
            names = [n for c in owner.__mro__ for n, value in vars(c).items() if value is self]
            for name in names if clients else ():
                setattr(clients[-1], name, function)

        def _is_awaited(self, client: Any, owner: type) -> bool:
            driver = client._client if isinstance(client, Topic) else client  # noqa: SLF001
            return issubclass(owner, Awaiting) or isinstance(driver, Awaiting)

        def _function(self, *, awaited: bool) -> Callable[..., Any]:
            flow_of, driver = self.flow, self._driver
            if awaited:

                async def operation(client: Any, *args: Any, **kwargs: Any) -> Any:
                    flow = flow_of(client, *args, **kwargs)
                    # A traceback from below would show the arguments, and with them a password.
                    del args, kwargs
                    return await getattr(client, driver)(flow)

            else:

                def operation(client: Any, *args: Any, **kwargs: Any) -> Any:
                    flow = flow_of(client, *args, **kwargs)
                    del args, kwargs
                    return getattr(client, driver)(flow)

            update_wrapper(operation, self)
            operation.__wrapped__ = flow_of
            return operation

    class PlainOperation(Operation):
        """An operation that is a plain call on either client."""

        _driver = "_run_plainly"

        def _is_awaited(self, *_: object) -> bool:
            return False


C = TypeVar("C", bound=Blocking | Awaiting)


class Topic(Generic[C]):
    """The calls of one topic of a client, whose driver they use: `client.messages`."""

    __slots__ = ("_client",)

    def __init__(self, client: Any, state: object = None) -> None:
        """Of a client, or of its `http` as in interpal 1.x, whose *state* is not needed here."""
        del state
        self._client: Operations = (
            client if isinstance(client, Operations) else client._client  # noqa: SLF001  (a view)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._client!r}>"

    def __getattr__(self, name: str) -> Any:
        # What flows ask of a client. Everything public is declared.
        if name.startswith("_") and not name.startswith("__"):
            return getattr(self._client, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")


class Operations:
    """The constructor and the operations that both clients share."""

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        session_cookie: str | None = None,
        auth_token: str | None = None,
        auto_login: bool = False,
        user_agent: str | None = None,
        persist_session: bool | None = None,
        session_file: str | os.PathLike[str] | None = None,
        session_expiration_hours: float = DEFAULT_LIFETIME_HOURS,
        max_messages: int = 1000,
        cache_users: bool = True,
        cache_threads: bool = True,
        weak_references: bool = True,
        *,
        vault_passphrase: str | Callable[[], str] | None = None,
        vault_key: bytes | str | None = None,
        store: stores.Store | str | None = None,
        revalidate_after: float = 0,
        base_url: str | None = None,
        timeout: float = 30,
        max_retries: int = 2,
        min_interval: float = 0,
        lock_timeout: float = DEFAULT_LOGIN_TIMEOUT,
        on_event: OnEvent | None = None,
        expected_vault_id: bytes | str | None = None,
        proxy: str | None = None,
        verify: bool | str | os.PathLike[str] = True,
    ) -> None:
        """Nothing is sent here, but by `InterpalClient` with *auto_login* or *persist_session*.

        Args:
            username: The account, or its e-mail address.
            password: Kept in memory to log in again, and nowhere else.
            session_cookie: Use this session; it wins over a saved one and is not saved. Without
                it, one in the environment is used like that, unless it is another account's:
                that of `interpal-vault exec`, or the line of `export --ci`.
            auth_token: The token of that session, where there is one.
            auto_login: Resume or log in: in the constructor; for `AsyncInterpalClient` in
                `async with`, or at the first awaited call.
            user_agent: The `User-Agent` header; `interpal/<version>` by default.
            persist_session: Keep the session in a vault; not by default.
            session_file: Path of the vault, `.interpals_session.json` by default; relative to
                the working directory.
            session_expiration_hours: Hours from login to the end of a session; above 0,
                fractions allowed.
            max_messages: How many messages, photos and posts that were seen are kept; half as
                many albums.
            cache_users: Have one object for each user that was seen.
            cache_threads: Have one object for each conversation that was seen.
            weak_references: Forget users and conversations as soon as nobody uses them.
            vault_passphrase: The passphrase of the vault, or a function that returns it.
            vault_key: The key of the vault: 32 bytes, or their base64, base64url or hex text.
            store: A URL (`file:…`, `sqlite:…`, `redis://…`, `rediss://…`) or a `Store`, in
                place of *session_file*.
            revalidate_after: Seconds for which a session that was seen working, by any
                process, is trusted without asking the server; 0 asks at every start.
            base_url: `INTERPALS_BASE_URL` by default, else the site. Plain http is refused
                unless the host is this machine.
            timeout: Seconds to connect, and between two pieces of a reply; a whole reply has
                twice that, and 16 MiB, also after decompression.
            max_retries: Further tries after the first.
            min_interval: Seconds between the starts of two requests of this client.
            lock_timeout: Seconds to wait for another process's login.
            on_event: A function that is called with every `Event` of the session.
            expected_vault_id: The id of the only vault that is opened, 16 bytes or 32 hexadecimal
                digits (`interpal-vault inspect`).
            proxy: The proxy to use, `http://USER:PASSWORD@HOST:PORT` or `https://…`; `""` for
                none. By default what `HTTPS_PROXY` and `NO_PROXY` say. A server on this machine
                is never asked through one.
            verify: The path of a file or folder with the certificates of the authorities to
                trust. By default `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE` or
                `SSL_CERT_DIR`. Certificates are always checked.

        Raises:
            ValidationError: An argument is wrong; the message names it.
            InvalidCredentialsError: The server refused the password.
            RateLimitError: The server asks to wait.
            NetworkError: The server could not be reached.
            LockTimeoutError: Another process held the login for *lock_timeout* seconds.
            VaultError: The vault cannot be read or written, or its key is missing or wrong.
        """
        hidden = Hidden(password)
        handed = (
            None if session_cookie is None else explicit.ImportedSession(session_cookie, auth_token)
        )
        token_alone = handed is None and auth_token is not None
        places = {"store": store, "vault_passphrase": vault_passphrase, "vault_key": vault_key}
        unused = [name for name, value in places.items() if value is not None]
        unsaved = persist_session is None and session_file is not None
        del places
        by_environment = proxy is None and verify is True
        network = None if by_environment else environment.Network(Hidden(proxy), verify)
        keys, where = Hidden((vault_passphrase, vault_key)), Hidden((store, session_file))
        # Errors from here on may show the variables of this frame.
        password = session_cookie = auth_token = vault_passphrase = vault_key = None
        store = session_file = proxy = None
        if token_alone:
            raise ValidationError("auth_token: a token alone is no session: give session_cookie=")
        if unused and persist_session is None:
            raise ValidationError(
                f"{', '.join(unused)}: nothing is saved without persist_session=True; give it, or "
                "persist_session=False to save nothing"
            )
        if unsaved:
            warnings.warn(
                "session_file: nothing is saved without persist_session=True", stacklevel=2
            )
        settings = Settings(
            base_url=origin.configured_base_url()
            if base_url is None
            else origin.check_base_url(base_url),
            user_agent=arguments.header("user_agent", user_agent) if user_agent else None,
            lifetime=check_expiration_hours(session_expiration_hours),
            revalidate_after=arguments.seconds("revalidate_after", revalidate_after),
            timeout=arguments.timeout(timeout),
            max_retries=arguments.count("max_retries", max_retries),
            min_interval=arguments.seconds("min_interval", min_interval),
            lock_timeout=arguments.seconds("lock_timeout", lock_timeout),
            on_event=arguments.hook("on_event", on_event),
            network=network,
        )
        self._cache_settings = (
            arguments.max_messages(max_messages),
            bool(cache_users),
            bool(cache_threads),
            bool(weak_references),
        )
        username = arguments.username(username or None)
        state = ClientState(
            name=username, password=arguments.password(hidden), may_login=auto_login
        )
        context = ClientContext(settings, None, state)
        if handed is not None:
            given = handed.read(context)
            # A session from outside has no known end of its own.
            end = protocol.token_expiry(given.auth_token)
            context.change(lambda now: now.hand_over(given.replace(expires_at=end)))
        elif arguments.SESSION_LINE in os.environ or arguments.SESSION_COOKIE in os.environ:
            from interpal.flows.environment_session import session_of_environment

            found = session_of_environment(context)
            if found is not None:
                context.change(lambda now: now.hand_over(found))
        if persist_session:
            context.manager = SessionManager(
                where.reveal()[1],
                session_expiration_hours,
                store=where.reveal()[0],
                passphrase=keys.reveal()[0],
                key=keys.reveal()[1],
                origin=context.origin,
                # Flows wait for locks by themselves, without holding a thread.
                patience=0,
                notify=context.notify,
                expected_vault_id=expected_vault_id,
            )
        self._context = context
        self._begin()

    def _begin(self) -> None:
        """What the driver does at the end of construction."""

    def __repr__(self) -> str:
        context = vars(self).get("_context")  # A traceback may ask in mid-construction.
        return f"<{type(self).__name__} of {(context and context.state.name) or 'nobody yet'}>"

    def __reduce__(self) -> Any:
        raise TypeError("a client holds a session and cannot be pickled; make one in each process")

    @property
    def is_authenticated(self) -> bool:
        """Whether there is a session to send with; the server may have ended it since."""
        return self._context.state.live is not None

    @property
    def persisted(self) -> bool:
        """Whether the session in use is saved in the vault."""
        return self._context.state.saved

    @property
    def session(self) -> Session | None:
        """The session in use."""
        return self._context.state.live

    @property
    def bot_id(self) -> str | None:
        """The id of the account, under its name of interpal 1.x; None until it is known."""
        session = self.session
        return None if session is None else session.user_id

    def export_session(self) -> dict[str, Any]:
        """The session in use, in clear, for another program: keep it like a password.

        A dict of `session_cookie, auth_token, username, user_id, created_at, expires_at`, times
        as RFC 3339 text, and of `bot_id`, the `user_id` under its name of interpal 1.x. Raises
        `AuthenticationError` where there is no session.
        """
        self._context.state.check_not_closed()
        session = self._context.state.live
        if session is None:
            raise self._context.no_session()
        return {
            "session_cookie": session.session_cookie,
            "auth_token": session.auth_token,
            "username": session.username,
            "user_id": session.user_id,
            "bot_id": session.user_id,
            "created_at": to_text(session.created_at),
            "expires_at": None if session.expires_at is None else to_text(session.expires_at),
        }

    def _login(
        self, username: str | None = None, password: str | None = None, *, force: bool = False
    ) -> Flow[Session]:
        """Make sure of a session: resume the saved one of the account, else log in.

        *force* always logs in. Afterwards an ended session is renewed without being asked.
        Raises `ValidationError` (credentials missing), `InvalidCredentialsError`,
        `RateLimitError`, `NetworkError`, `LockTimeoutError` and the `VaultError`s.
        """
        hidden = Hidden(password)
        password = None
        username, secret = arguments.username(username or None), arguments.password(hidden)
        return (yield from explicit.login(self._context, username, secret, force=force))

    def _import_session(
        self,
        session: (
            str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | os.PathLike[str] | None
        ) = None,
        auth_token: str | None = None,
        bot_id: str | None = None,
        *,
        cookie_string: str | None = None,
    ) -> Flow[None]:
        """Use a session from elsewhere; with `persist_session` it is saved too.

        *session* is a cookie, a whole `Cookie` header, the dict of `export_session()`, or what
        a browser and its extensions write: cookies.txt or HAR, as text or a `Path`, a list of
        cookies, a dict of names and values. *cookie_string* is its name in interpal 1.x. Raises
        `ValidationError`, `VaultIOError` where a file cannot be read, `AccountMismatchError`
        where an export names another account than this client's, and the `VaultError` of a vault
        whose place or key is set up wrong.
        """
        given = cookie_string if session is None else session
        if isinstance(given, os.PathLike):
            given = yield from patiently(partial(explicit.read_file, os.fspath(given)), 0)
        handed = explicit.ImportedSession("" if given is None else given, auth_token, bot_id)
        session = auth_token = cookie_string = given = None
        yield from explicit.import_session(self._context, handed.read(self._context))

    def _get_session_info(self) -> Flow[SessionInfo | None]:
        """What is known of the saved session, None where nothing is saved. Changes nothing.

        Raises `AmbiguousAccountError` where no username was given and there are several.
        """
        return (yield from explicit.info(self._context))

    def _clear_saved_session(self) -> Flow[None]:
        """Remove the saved session of this account; the session in use goes on."""
        yield from explicit.clear(self._context)

    @Operation
    def logout(self) -> Flow[None]:
        """Forget the session, here and in the vault. (The site has no known call for it.)"""
        yield from explicit.logout(self._context)

    @Operation
    def validate_session(self) -> Flow[bool]:
        """Ask the server: True, or False where it answers 401.

        Raises `NetworkError` or `APIError` where it could not be asked.
        """
        return (yield from calls.validate(self._context))

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        json: Any = None,
        files: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Flow[Any]:
        """Send any request with the session; the parsed JSON, None for an empty reply.

        *path* is below the base URL. *data* is a mapping (sent as a form), bytes, text, or an
        iterable of bytes or file, which can be sent once only; *json* any JSON value; *files*
        maps field names to bytes, files, or (name, content[, type]).
        Raises `SessionExpiredError`, `RateLimitError`, `APIError`, `NetworkError`.
        """
        body, content_type = bodies.encode_body(data, json, files)
        typed = {} if content_type is None else {"Content-Type": content_type}
        request = self._context.request(
            arguments.method(method),
            path,
            params=params,
            headers={**typed, **arguments.headers(headers)},
            body=body,
        )
        return (yield from calls.call(self._context, request))

    def _upload(self, method: str, path: str, upload: Upload) -> Flow[Any]:
        """Send a file with the session; the parsed JSON of the reply."""
        headers = {"Content-Type": upload.content_type, "Content-Length": str(len(upload))}
        request = self._context.request(method, path, headers=headers, body=upload)
        try:
            return (yield from calls.call(self._context, request))
        except NetworkError:
            if upload.failure is None:
                raise
        # The caller's own error, which ended the upload.
        raise upload.failure

    @property
    def _client_cache(self) -> ClientCache:
        """What was seen, kept. It is made, and its module loaded, for the first reply."""
        if "_made_cache" not in vars(self):
            from interpal.api.client_cache import ClientCache

            # One step, whichever thread is first.
            vars(self).setdefault("_made_cache", ClientCache(*self._cache_settings))
        cache: ClientCache = vars(self)["_made_cache"]
        return cache

    def _maker(self) -> Callable[[], Make]:
        """What makes the replies of a call that begins now."""
        epoch = self._context.state.epoch
        return lambda: self._client_cache.maker(epoch, self._context.state.epoch)

    request = Operation(_request)

    @Operation
    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Flow[Any]:
        """`request("GET", …)`."""
        return (yield from self._request("GET", path, params=params, headers=headers))

    @Operation
    def post(self, path: str, /, **arguments: Any) -> Flow[Any]:
        """`request("POST", …)`, with its keyword arguments."""
        return (yield from self._request("POST", path, **arguments))

    @Operation
    def put(self, path: str, /, **arguments: Any) -> Flow[Any]:
        """`request("PUT", …)`, with its keyword arguments."""
        return (yield from self._request("PUT", path, **arguments))

    @Operation
    def delete(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Flow[Any]:
        """`request("DELETE", …)`."""
        return (yield from self._request("DELETE", path, params=params, headers=headers))
