"""One Redis server: its address, bounded waits, and its errors in the package's words.

Redis-py tries again by itself, and waits long, unless it is told otherwise. Here a wait ends
after `CONNECT_SECONDS` and `COMMAND_SECONDS`, and only what may happen twice is tried again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from interpal.exceptions import (
    StoreUnavailableError,
    ValidationError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from interpal.vault.stores.redis.address import Address
    from interpal.vault.stores.redis.scripts import Script

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 3.0

# Clients of a process that this one was forked from. To close one would end the parent's.
_left: list[object] = []


class RedisClient:
    """Runs scripts on the server at *address*. Safe in threads; a forked child connects anew."""

    __slots__ = ("_client", "address", "location")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.location = address.location
        self._client: tuple[int, redis.Redis] | None = None

    def run(
        self, script: Script, keys: Sequence[str | bytes], values: Sequence[object], *, again: bool
    ) -> Any:
        """The reply of *script*. With *again* it may run twice with no harm."""
        rest = (len(keys), *keys, *values)
        return self._send(("EVALSHA", script.sha, *rest), script.text, again=again)

    def ask(self, *command: object) -> Any:
        """The reply to a command that only reads, or that may be run twice with no harm."""
        return self._send(command, None, again=True)

    def close(self) -> None:
        """Let go of the connections of this process."""
        client, self._client = self._client, None
        if client is not None and client[0] == os.getpid():
            client[1].close()

    def _send(self, command: Sequence[object], text: str | None, *, again: bool) -> Any:
        # First: where the library is missing, this says so.
        client = self._connected()
        import redis.exceptions

        wrote = text is not None and not again
        problem: VaultError | None = None
        while problem is None:
            try:
                return client.execute_command(*command)  # type: ignore[no-untyped-call]
            except redis.exceptions.NoScriptError:  # noqa: PERF203  (twice at most)
                # It was not run: the server has started anew or never saw it.
                command = ("EVAL", text or "", *command[2:])
            except redis.RedisError as error:
                if again and type(error) is redis.ConnectionError:
                    again = False
                else:
                    problem = translate_error(error, self.address, wrote=wrote)
            except OSError as error:
                problem = _unreachable(self.location, f"{type(error).__name__}: {error}")
            except (ValueError, RecursionError):  # of the parser of redis-py
                odd = redis.exceptions.InvalidResponse("what it says is no reply of Redis")
                problem = translate_error(odd, self.address, wrote=wrote)
        # Outside of the handlers: the frames behind the cause hold the password.
        raise problem

    def _connected(self) -> redis.Redis:
        known = self._client
        if known is not None:
            if known[0] == os.getpid():
                return known[1]
            _left.append(known)
        client = _client(self.address)
        self._client = (os.getpid(), client)
        try:
            check_policy(self)
        except BaseException:
            self._client = None
            client.close()
            raise
        return client


def check_policy(client: RedisClient) -> None:
    """Refuse a server that would throw locks, counts or records away when memory runs out.

    Every policy but `noeviction` may: the `volatile-…` ones take exactly the keys that expire,
    which are the locks and the records. Raises `VaultIOError` naming the setting.
    """
    try:
        info = client.ask("INFO", "memory")
        policy = info.get("maxmemory_policy") if isinstance(info, dict) else None
    except VaultPermissionError:
        reply = client.ask("CONFIG", "GET", "maxmemory-policy")
        values = [*reply.values()] if isinstance(reply, dict) else [*reply][1:]
        policy = values[0] if values else None
    name = policy.decode("ascii", "replace") if isinstance(policy, bytes) else policy
    if name != "noeviction":
        raise VaultIOError(
            f"{client.location}: maxmemory-policy is {name or 'unknown'}, with which the server "
            "may drop locks and sessions when its memory is used up. Change the setting: "
            "CONFIG SET maxmemory-policy noeviction (and in redis.conf), or use a server of its "
            "own.",
            path=client.location,
        )


def translate_error(error: redis.RedisError, address: Address, *, wrote: bool) -> VaultError:
    """The package's error for one of redis-py; *wrote*: a write may have been under way."""
    import redis.exceptions

    where = address.location
    text = _scrubbed(error, address)
    kinds = redis.exceptions
    if isinstance(error, kinds.BusyLoadingError) or text.startswith("BUSY "):
        return StoreUnavailableError(f"{where}: not ready ({text}). Try again later.", path=where)
    if isinstance(error, (kinds.AuthenticationError, kinds.AuthorizationError)) or (
        "NOAUTH" in text
    ):
        return VaultPermissionError(
            f"{where}: the server does not let this user in ({text}). Look at the user and the "
            "password in the URL.",
            path=where,
        )
    if isinstance(error, kinds.NoPermissionError) or any(
        words in text for words in ("NOPERM", "ACL failure", "user executing the script")
    ):
        return VaultPermissionError(
            f"{where}: the server does not let this user do it ({text}). Allow the user the "
            f"keys {{{address.prefix}}}:* and the commands that docs/scaling.md lists.",
            path=where,
        )
    if isinstance(error, (kinds.TimeoutError, kinds.ConnectionError, kinds.InvalidResponse)):
        problem = _unreachable(where, text)
        if wrote:
            problem.args = (f"{problem} What was being written may or may not have been saved.",)
        return problem
    if isinstance(error, kinds.OutOfMemoryError) or "OOM command" in text:
        remedy = "Its memory is used up: raise maxmemory or remove keys."
    elif isinstance(error, kinds.ReadOnlyError) or "READONLY" in text:
        remedy = "It is a replica: give the address of the primary."
    elif "MISCONF" in text:
        remedy = "It cannot save to its disk: look at the server's log and at its disk."
    elif "MOVED" in text or isinstance(error, kinds.MovedError):
        remedy = "It is a node of a cluster that has the keys elsewhere: give that node's address."
    else:
        remedy = "Look at the server's version (5 or later) and at its log."
    return VaultIOError(
        f"{where}: the server refused ({text}). {remedy} The old content is intact.", path=where
    )


def _unreachable(where: str, text: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{where}: the store does not answer ({text}). Look whether the server runs and can be "
        "reached, and try again.",
        path=where,
    )


def _scrubbed(error: BaseException, address: Address) -> str:
    text = str(error) or type(error).__name__
    if address.password is not None:
        text = text.replace(address.password.reveal().decode(), "…")
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip().rstrip(".")


def _client(address: Address) -> redis.Redis:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ValidationError(
            "store: redis:// needs the redis library: pip install 'interpal-vault[redis]'"
        ) from None
    options: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "db": address.database,
        "protocol": 2,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": COMMAND_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        **_quiet(),
    }
    if address.password is not None:
        # Not as `password=`, which would stand in the settings of every connection.
        options["credential_provider"] = redis.UsernamePasswordCredentialProvider(
            address.username, address.password.reveal().decode()
        )
    if address.tls:
        options.update(
            ssl=True,
            ssl_cert_reqs="required",
            ssl_check_hostname=True,
            ssl_ca_certs=address.ca,
            ssl_certfile=address.cert,
            ssl_keyfile=address.key,
        )
    return redis.Redis(**options)


def _quiet() -> dict[str, Any]:
    """What keeps redis-py from telling the server its name and version at each connection."""
    import redis

    try:
        redis.Connection(driver_info=None)  # type: ignore[no-untyped-call]
    except TypeError:
        return {"lib_name": None, "lib_version": None}
    return {"driver_info": None}
