"""One Redis server: its address, bounded waits, and its errors in the package's words.

Redis-py tries again by itself, and waits long, unless it is told otherwise. Here a wait ends
after `CONNECT_SECONDS` and `COMMAND_SECONDS`, and only what may happen twice is tried again.
"""

from __future__ import annotations

import errno
import select
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from interpal._clock import monotonic
from interpal.exceptions import (
    StoreUnavailableError,
    ValidationError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files.forks import Process

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    import redis

    from interpal.vault.stores.redis.address import Address
    from interpal.vault.stores.redis.scripts import Script

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 3.0
MOST_SECONDS = 10.0
"""The longest that a whole reply may take, of which some comes every `COMMAND_SECONDS`."""

_UNKNOWN = "What was being written may or may not have been saved."

# Clients of a process that this one was forked from. To close one would end the parent's.
_left: list[object] = []


class RedisClient:
    """Runs scripts on the server at *address*. Safe in threads; a forked child connects anew.

    Connections are made by redis-py, which logs in and speaks TLS; the few commands of the store
    are sent on them as they are, without what its client does around each.
    """

    __slots__ = ("_client", "_idle", "address", "location")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.location = address.location
        self._client: tuple[Process, redis.Redis] | None = None
        self._idle: list[tuple[Process, redis.Connection]] = []

    @property
    def server(self) -> tuple[str, int]:
        """Host and port."""
        return self.address.host, self.address.port

    def run(
        self, script: Script, keys: Sequence[str | bytes], values: Sequence[object], *, again: bool
    ) -> Any:
        """The reply of *script*. With *again* it may run twice with no harm."""
        rest = (len(keys), *keys, *values)
        (reply,) = self._send([("EVALSHA", script.sha, *rest)], script.text, again=again)
        return reply

    def ask(self, *command: object) -> Any:
        """The reply to a command that only reads, or that may be run twice with no harm."""
        (reply,) = self._send([command], None, again=True)
        return reply

    def ask_all(self, *commands: Sequence[object]) -> list[Any]:
        """The replies to such commands, sent in one trip and run one after the other."""
        return self._send(commands, None, again=True)

    def close(self) -> None:
        """Let go of the connections of this process."""
        while self._idle:
            process, connection = self._idle.pop()
            if process.is_current:
                connection.disconnect()  # type: ignore[no-untyped-call]
            else:
                _left.append(connection)
        client, self._client = self._client, None
        if client is not None and client[0].is_current:
            client[1].close()

    def _send(
        self, commands: Sequence[Sequence[object]], text: str | None, *, again: bool
    ) -> list[Any]:
        # First: where the library is missing, this says so.
        client = self._connected()
        import redis.exceptions

        wrote = text is not None and not again
        problem: VaultError | None = None
        while problem is None:
            try:
                return self._exchange(client, commands)
            except redis.exceptions.NoScriptError as error:  # noqa: PERF203  (twice at most)
                if text is None or commands[0][0] == "EVAL":
                    problem = translate_error(error, self.address, wrote=wrote)
                else:
                    # It was not run: the server has started anew or never saw it.
                    commands = [("EVAL", text, *commands[0][2:])]
            except redis.RedisError as error:
                if again and type(error) is redis.ConnectionError:
                    again = False
                else:
                    problem = translate_error(error, self.address, wrote=wrote)
            except OSError as error:
                problem = _unreachable(self.location, f"{type(error).__name__}: {error}")
                if wrote:
                    problem.args = (f"{problem} {_UNKNOWN}",)
            except (ValueError, RecursionError):  # of the parser of redis-py
                odd = redis.exceptions.InvalidResponse("its answer is not a Redis reply")
                problem = translate_error(odd, self.address, wrote=wrote)
        # Outside of the handlers: the frames behind the cause hold the password.
        raise problem

    def _exchange(self, client: redis.Redis, commands: Sequence[Sequence[object]]) -> list[Any]:
        """Send the commands and read a reply to each; the first error among them is raised."""
        import redis.exceptions

        connection = self._take(client)
        replies: list[Any] = []
        refused: Exception | None = None
        try:
            connection.send_packed_command([_packed(commands)], check_health=False)  # type: ignore[no-untyped-call]
            for _ in commands:
                try:
                    replies.append(connection.read_response())
                except redis.exceptions.ResponseError as error:  # noqa: PERF203
                    refused = refused or error
        except BaseException:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        self._idle.append((Process(), connection))
        if refused is not None:
            raise refused
        return replies

    def _take(self, client: redis.Redis) -> redis.Connection:
        """A connection that nobody else uses and that has nothing left to be read."""
        while self._idle:
            try:
                process, connection = self._idle.pop()
            except IndexError:
                break  # another thread has taken it
            if not process.is_current:
                _left.append(connection)
            elif _is_quiet(connection):
                return connection
            else:
                connection.disconnect()  # type: ignore[no-untyped-call]
        made: Any = client.connection_pool.make_connection()
        made.connect()
        return cast("redis.Connection", made)

    def _connected(self) -> redis.Redis:
        known = self._client
        if known is not None:
            if known[0].is_current:
                return known[1]
            _left.append(known)
        client = _client(self.address)
        self._client = (Process(), client)
        try:
            check_policy(self)
        except BaseException:
            self._client = None
            client.close()
            raise
        return client


def _packed(commands: Sequence[Sequence[object]]) -> bytes:
    """Commands as they are sent (https://redis.io/docs/latest/develop/reference/protocol-spec)."""
    parts = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _is_quiet(connection: redis.Connection) -> bool:
    """Whether the server has not hung up, and nothing was left unread."""
    sock: socket.socket | None = connection._sock  # noqa: SLF001
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


class _Patience:
    """A socket whose replies come to an end, however little of one comes at a time.

    A time-out of a socket is for one piece of a reply; here the pieces have to be there
    `MOST_SECONDS` after the command was sent.
    """

    __slots__ = ("_sock", "_until")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._until = monotonic() + MOST_SECONDS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        self._until = monotonic() + MOST_SECONDS
        self._sock.sendall(data)

    def recv(self, *args: Any) -> bytes:
        self._check()
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        self._check()
        return self._sock.recv_into(*args)

    def _check(self) -> None:
        if monotonic() > self._until:
            raise TimeoutError("its reply has no end")


@cache
def _patient(kind: type[redis.Connection]) -> type[redis.Connection]:
    """A class of connections like *kind*, with a `_Patience` for their socket."""

    class Patient(kind):  # type: ignore[valid-type,misc]
        def _connect(self) -> Any:
            return _Patience(super()._connect())

    return Patient


_POLICY = b"maxmemory_policy:"


def check_policy(client: RedisClient) -> None:
    """Refuse a server that would throw locks, counts or records away when memory runs out.

    Every policy but `noeviction` may: the `volatile-…` ones take exactly the keys that expire,
    which are the locks and the records. Raises `VaultIOError` naming the setting.
    """
    try:
        info = client.ask("INFO", "memory")
        lines = info.split(b"\r\n") if isinstance(info, bytes) else []
        found = [line.partition(b":")[2] for line in lines if line.startswith(_POLICY)]
        policy = found[0] if found else None
    except VaultPermissionError:
        reply = client.ask("CONFIG", "GET", "maxmemory-policy")
        policy = reply[1] if isinstance(reply, list) and len(reply) > 1 else None
    name = policy.decode("ascii", "replace") if isinstance(policy, bytes) else None
    if name != "noeviction":
        raise VaultIOError(
            f"{client.location}: maxmemory-policy is {name or 'unknown'}, with which the server "
            "may drop locks and sessions when its memory is used up. Change the setting: "
            "CONFIG SET maxmemory-policy noeviction (and in redis.conf), or use a dedicated "
            "server.",
            path=client.location,
        )


# What a server answers for a while: it is loading, runs another's script, has lost its primary,
# its replicas or a part of its cluster, or is handing keys over. Nothing was run.
_PASSING = ("LOADING ", "BUSY ", "MASTERDOWN ", "NOREPLICAS ", "CLUSTERDOWN ", "TRYAGAIN ")


def translate_error(error: redis.RedisError, address: Address, *, wrote: bool) -> VaultError:
    """The package's error for one of redis-py; *wrote*: a write may have been under way."""
    import redis.exceptions

    where = address.location
    text = _scrubbed(error, address)
    kinds = redis.exceptions
    passing = (
        kinds.BusyLoadingError,
        kinds.ClusterDownError,
        kinds.TryAgainError,
        kinds.AskError,
        kinds.MasterDownError,
        kinds.NoScriptError,
    )
    if isinstance(error, passing) or any(word in text for word in _PASSING):
        return StoreUnavailableError(
            f"{where}: not ready ({text}). Nothing was written. Try again later.", path=where
        )
    if isinstance(error, (kinds.AuthenticationError, kinds.AuthorizationError)) or (
        "NOAUTH" in text
    ):
        return VaultPermissionError(
            f"{where}: the server refused the login ({text}). Check the user and the password in "
            "the URL.",
            path=where,
        )
    if isinstance(error, kinds.NoPermissionError) or any(
        words in text for words in ("NOPERM", "ACL failure", "user executing the script")
    ):
        return VaultPermissionError(
            f"{where}: the server does not permit this ({text}). Allow the user the "
            f"keys {{{address.prefix}}}:* and the commands that docs/scaling.md lists.",
            path=where,
        )
    if isinstance(error, (kinds.TimeoutError, kinds.ConnectionError, kinds.InvalidResponse)):
        problem = _unreachable(where, text)
        if wrote:
            problem.args = (f"{problem} {_UNKNOWN}",)
        return problem
    number: int | None = None
    if isinstance(error, kinds.OutOfMemoryError) or "OOM " in text:
        number = errno.ENOSPC
        remedy = "Its memory is used up (maxmemory): raise that limit, or remove records."
    elif isinstance(error, kinds.ReadOnlyError) or "READONLY" in text:
        remedy = "It is a replica: use the address of the primary."
    elif "MISCONF" in text:
        remedy = "It cannot save to its disk: check the server's log and its disk."
    elif "MOVED" in text or isinstance(error, kinds.MovedError):
        remedy = (
            "It is a cluster node without these keys: use the address of the node that has them."
        )
    else:
        remedy = "Check the server's version (5 or later) and its log."
    return VaultIOError(
        f"{where}: the server refused ({text}). {remedy} The old content is intact.",
        path=where,
        errno=number,
    )


def _unreachable(where: str, text: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{where}: the store does not answer ({text}). Check that the server runs and can be "
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
    client = redis.Redis(**options)
    pool = client.connection_pool
    pool.connection_class = _patient(pool.connection_class)
    return client


def _quiet() -> dict[str, Any]:
    """What keeps redis-py from telling the server its name and version at each connection."""
    import redis

    try:
        redis.Connection(driver_info=None)  # type: ignore[no-untyped-call]
    except TypeError:
        return {"lib_name": None, "lib_version": None}
    return {"driver_info": None}
