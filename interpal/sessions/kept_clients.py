"""`keep`: the session of any site, for a client of requests, httpx or aiohttp."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from interpal._clock import seconds
from interpal._hidden import Hidden
from interpal.exceptions import ValidationError
from interpal.sessions.keeping import Keeper, Settings
from interpal.sessions.wait import drive
from interpal.vault.files.thread_lock import ThreadLock
from interpal.vault.format.payload import check_name

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from interpal.sessions.events import OnEvent
    from interpal.vault.stores.base import Store
    from interpal.vault.vault import Vault

C = TypeVar("C")

# A library that nobody has imported has made no client. The module here is named after it.
_LIBRARIES = ("requests", "httpx", "aiohttp")

# Where a client has its keeper: a cycle of the two, which goes as a whole.
_ATTRIBUTE = "_kept_by"
_classes: dict[tuple[type, type], type] = {}
_guard = ThreadLock()


def keep(
    client: C,
    name: str,
    vault: Vault | str | os.PathLike[str] | Store,
    *,
    login: Callable[[C], Any] | None = None,
    is_valid: Callable[[C], Any] | None = None,
    headers: Iterable[str] = (),
    credentials: str | None = None,
    revalidate_after: float = 3600.0,
    lock_timeout: float = 60.0,
    on_event: OnEvent | None = None,
) -> C:
    """Keep the session of *client* in a vault, and give the same client back.

    *client* is a `requests.Session`, an `httpx.Client` or `AsyncClient`, or an
    `aiohttp.ClientSession`. Its cookies, with all their attributes, and the *headers* of these
    names are loaded from the record *name*, here or, by a client of asyncio, with the first
    request. They are saved when a reply has changed them and when the client is closed. What
    another process has saved meanwhile is merged: of one cookie the later change counts.
    *vault* may be a path or a URL as well; what is opened here, with the key of the environment or
    of the user's key file, is closed with the client.

    *login* is called with the client where there is no session, and makes one: once for all
    processes that share the vault, the others wait for it and take its session. It is called again
    after a reply of 401, which is then asked for once more. *is_valid* is called with the client
    and says whether the session is one: before the first request where nobody has asked within
    *revalidate_after* seconds, after a 401, and after each *login*. Both are coroutine functions
    for a client of asyncio. What the site refuses in *login* (an error of the library with a
    status from 300 to 499, or *is_valid* saying no) is remembered in the vault, and the same is
    not tried again for a while, from a minute to an hour; *credentials* is what *login* logs in
    with, so that others may be tried at once. It is never saved.

    *lock_timeout* is in seconds, for a login of another process and for the write lock. *on_event*
    is called with the events of `docs/events.md`, with *name* as the username.

    Raises `ValidationError` for what is no such client or is kept already, and what opening the
    vault raises. Requests raise what *login* raises; `InvalidCredentialsError`,
    `LoginRateLimitError` or `AuthenticationError` for what was refused before;
    `SessionExpiredError` where two programs keep ending each other's session;
    `LockTimeoutError`; and before *login* is called, what is wrong with how the vault is set up, by
    which nothing could be saved. What goes wrong later, or a full disk, is an event, `save_failed`.
    """
    check_name(name)
    hidden = Hidden((credentials or "").encode("utf-8", "surrogatepass"))
    del credentials
    for argument, hook in (("login", login), ("is_valid", is_valid), ("on_event", on_event)):
        if hook is not None and not callable(hook):
            raise ValidationError(f"{argument}: expected a function, not {type(hook).__name__}")
    if isinstance(headers, str):
        raise ValidationError("headers: expected several names, not one text")
    settings = Settings(
        name,
        login,
        is_valid,
        frozenset(header.lower() for header in headers),
        hidden,
        seconds("revalidate_after", revalidate_after),
        seconds("lock_timeout", lock_timeout),
        on_event,
    )
    adapter = _adapter_of(client)
    keeper = Keeper(client, adapter.jar_of(client), vault, settings, adapter.replies(client))
    with _guard:
        if hasattr(client, _ATTRIBUTE):
            raise ValidationError("client: its session is kept already")
        # Past a `__setattr__` that warns of names that it does not know.
        object.__setattr__(client, _ATTRIBUTE, keeper)
    try:
        adapter.begin(keeper)
    except BaseException:
        object.__delattr__(client, _ATTRIBUTE)
        keeper.let_go()
        raise
    with _guard:
        object.__setattr__(client, "__class__", _class_of(type(client), adapter.mixin(client)))
    return client


def renew(client: Any, *, force: bool = False) -> Any:
    """Have `login=` called for a client that is kept, unless another process has a newer session.

    *force* calls it in any case, also where it was refused a moment ago. For a client of asyncio
    the result is to be awaited. Raises what a request of the client raises, and `ValidationError`
    for a client that is not kept.
    """
    return _adapter_of(client).run(client, keeper_of(client).renew(force=force))


def keeper_of(client: Any) -> Keeper:
    """What keeps the session of a client. Raises `ValidationError` where nothing does."""
    keeper = getattr(client, _ATTRIBUTE, None)
    if not isinstance(keeper, Keeper):
        raise ValidationError("client: its session is not kept; call keep() first")
    return keeper


class Kept:
    """What every client that is kept has beside its own."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a kept client is secret and cannot be copied or pickled")


class KeptInThreads(Kept):
    """The same, of a client that is no client of asyncio."""

    def close(self) -> None:
        """Save what is left, and close the connections."""
        try:
            save_last(self)
        finally:
            super().close()  # type: ignore[misc]


def save_last(client: object) -> None:
    """Save what is left of a client that is no client of asyncio; its keeper ends."""
    keeper = keeper_of(client)
    drive(keeper.close(), keeper.turn)


def _adapter_of(client: object) -> Any:
    from importlib import import_module

    for library in _LIBRARIES:
        if library in sys.modules:
            adapter = import_module(f"interpal.sessions.with_{library}")
            if adapter.knows(client):
                return adapter
    raise ValidationError(
        "client: expected a requests.Session, an httpx.Client or AsyncClient, or an "
        f"aiohttp.ClientSession, not {type(client).__name__}"
    )


def _class_of(own: type, mixin: type) -> type:
    """The class of a client that is kept: *mixin* before its *own*."""
    if (own, mixin) not in _classes:
        members = {"__module__": own.__module__, "__doc__": own.__doc__}
        _classes[own, mixin] = type(own.__name__, (mixin, own), members)
    return _classes[own, mixin]
