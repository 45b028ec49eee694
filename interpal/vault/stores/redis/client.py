"""One Redis server: its address, bounded waits, and its errors in the package's words.

Redis-py tries again by itself, and waits long, unless it is set up otherwise. Here a wait ends
after `CONNECT_SECONDS` and `COMMAND_SECONDS` (`servers`), and only what may happen twice is tried
again.
"""

from __future__ import annotations

import errno
import os
import re
import select
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from interpal._clock import monotonic
from interpal.exceptions import (
    StoreUnavailableError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
)
from interpal.vault.files.forks import Process
from interpal.vault.stores.redis.address import CLUSTER, SENTINEL, SERVER
from interpal.vault.stores.redis.scripts import NOTHING_WRITTEN
from interpal.vault.stores.redis.servers import connect_options, find_server, require_library

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    import redis

    from interpal.vault.stores.redis.address import Address
    from interpal.vault.stores.redis.scripts import Script

MOST_SECONDS = 10.0
"""The longest that a whole reply may take, of which some comes every `COMMAND_SECONDS`."""

FAILOVER_SECONDS = 15.0
"""How long a command waits for another server to take the place of one that is gone."""
SAVE_SECONDS = 25.0
"""How long a save waits for it: less than a lock lives, since to lose it costs a login."""
CONFIRM_SECONDS = 1.0
"""How long replicas may take to confirm a lock or a write."""

_MOST_REDIRECTS = 8
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0

_UNKNOWN = "What was being written may or may not have been saved."

# Clients of a process that this one was forked from. To close one would end the parent's.
_left: list[object] = []


class RedisClient:
    """Runs scripts on the server at *address*. Safe in threads; a forked child connects anew.

    Connections are made by redis-py, which logs in and speaks TLS; the few commands of the store
    are sent on them as they are, without what its client does around each.

    Where another server may take the place of this one (Sentinels, a cluster), what has surely
    not been run, or may be run twice, is sent to that one for `FAILOVER_SECONDS`.
    """

    __slots__ = ("_client", "_idle", "_nodes", "address", "breaks", "location")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.location = address.location
        self._client: _Known | None = None
        self._idle: list[tuple[_Known, redis.Connection]] = []
        self._nodes = address.hosts or (address.server,)
        self.breaks = 0
        """Grows when a connection was lost: a scan begun before may not be gone on with."""

    @property
    def server(self) -> tuple[str, int]:
        """Host and port, of several the first."""
        return self.address.server

    def run(
        self, script: Script, keys: Sequence[str | bytes], values: Sequence[object], *, again: bool
    ) -> Any:
        """The reply of *script*. With *again* it may run twice with no harm.

        A script that knows its own writes again (`settles`) is sent to a server that takes over.

        Raises `StoreUnavailableError` where the script writes what has to last, and fewer
        replicas than the address asks for have it in time; the primary has it then.
        """
        reply, confirmed = self.run_confirmed(script, keys, values, again=again)
        if confirmed < self.address.replicas:
            raise self.unconfirmed(confirmed)
        return reply

    def run_confirmed(
        self, script: Script, keys: Sequence[str | bytes], values: Sequence[object], *, again: bool
    ) -> tuple[Any, int]:
        """The reply of *script*, and how many replicas have what it has written.

        They are as many as the address asks for where it wrote nothing that has to last.
        """
        commands: list[Sequence[object]] = [("EVALSHA", script.sha, len(keys), *keys, *values)]
        wanted = self.address.replicas
        if not (wanted and script.lasts):
            (reply,) = self._send(commands, script, again=again)
            return reply, wanted
        commands.append(("WAIT", wanted, int(CONFIRM_SECONDS * 1000)))
        reply, confirmed = self._send(commands, script, again=again)
        if reply in NOTHING_WRITTEN:
            return reply, wanted
        # After a failover a replica takes some seconds to find its new primary.
        patience = SAVE_SECONDS if script.settles else FAILOVER_SECONDS
        until = monotonic() + (patience if self.address.kind != SERVER else 0)
        while int(confirmed) < wanted and monotonic() < until:
            if script.settles:
                commands[0] = _marked(commands[0])
            elif not again:
                break
            found, confirmed = self._send(commands, script, again=again)
            if found in NOTHING_WRITTEN:
                # Another server has taken over, without it.
                return found, wanted
        return reply, int(confirmed)

    def unconfirmed(self, confirmed: int) -> StoreUnavailableError:
        """The error for what fewer replicas have than the address asks for."""
        return StoreUnavailableError(
            f"{self.location}: {confirmed} of {self.address.replicas} replicas have confirmed the "
            f"write: a failover now would undo it. Check the replicas, and try again.",
            path=self.location,
        )

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
            known, connection = self._idle.pop()
            if known.process.is_current:
                connection.disconnect()  # type: ignore[no-untyped-call]
            else:
                _left.append(connection)
        known_client, self._client = self._client, None
        if known_client is not None and known_client.process.is_current:
            known_client.client.close()

    def _send(
        self, commands: Sequence[Sequence[object]], script: Script | None, *, again: bool
    ) -> list[Any]:
        if self._client is None:
            require_library()
        wrote = script is not None and not again
        several = self.address.kind != SERVER
        attempt = _Attempt(commands, script, again=again, several=several)
        problem: VaultError | None = None
        while problem is None:
            try:
                return self._exchange(attempt)
            except attempt.errors as error:  # noqa: PERF203  (a few times at most)
                if script is None and len(commands) > 1 and type(error).__name__ == "AskError":
                    # Some keys are there already and some are not: each for itself, in this order.
                    return [self.ask(*command) for command in commands]
                if not attempt.may_go_on(error):
                    problem = self._translated(error, wrote=wrote)
                elif attempt.is_elsewhere:
                    self._forget(attempt.moved)
        # Outside of the handlers: the frames behind the cause hold the password.
        raise problem

    def _translated(self, error: Exception, *, wrote: bool) -> VaultError:
        import redis.exceptions

        if isinstance(error, redis.RedisError):
            return translate_error(error, self.address, wrote=wrote)
        if isinstance(error, OSError):
            problem = _unreachable(self.location, f"{type(error).__name__}: {error}")
            if wrote:
                problem.args = (f"{problem} {_UNKNOWN}",)
            return problem
        # ValueError and RecursionError of the parser of redis-py.
        odd = redis.exceptions.InvalidResponse("its answer is not a Redis reply")
        return translate_error(odd, self.address, wrote=wrote)

    def _exchange(self, attempt: _Attempt) -> list[Any]:
        attempt.sent = False
        commands = attempt.commands
        if attempt.asked is None:
            known, connection = self._take()
        else:
            # The keys are on their way to that server, which takes them where it is asked to.
            commands = [part for command in commands for part in (("ASKING",), command)]
            known = _Known.at(self.address, *attempt.asked)
            connection = known.connection()
        attempt.sent = True
        try:
            replies = _talk(connection, commands)
        except BaseException:
            if _socket(connection) is not None:
                self._idle.append((known, connection))
            else:
                self.breaks += 1
            raise
        if attempt.asked is None:
            self._idle.append((known, connection))
            return replies
        connection.disconnect()  # type: ignore[no-untyped-call]
        return replies[1::2]

    def _take(self) -> tuple[_Known, redis.Connection]:
        """A connection that nobody else uses and that has nothing left to be read."""
        while self._idle:
            try:
                known, connection = self._idle.pop()
            except IndexError:
                break  # another thread has taken it
            if not known.process.is_current:
                _left.append(connection)
            elif known is self._client and _is_quiet(connection):
                return known, connection
            else:
                self.breaks += 1
                connection.disconnect()  # type: ignore[no-untyped-call]
        known = self._connected()
        connection = known.connection()
        if not known.checked:
            try:
                check_policy(connection, self.location)
            except BaseException:
                connection.disconnect()  # type: ignore[no-untyped-call]
                raise
            known.checked.append(True)
        return known, connection

    def _connected(self) -> _Known:
        """The client of the server that has the keys, found anew where that may be another."""
        known = self._client
        if known is not None and not known.process.is_current:
            _left.append(known.client)
            known = self._client = None
        if known is not None and self.address.kind != SENTINEL:
            return known
        place, self._nodes = find_server(self.address, self._nodes)
        if known is None or known.place != place:
            known = self._client = _Known.at(self.address, *place)
        return known

    def _forget(self, place: tuple[str, int] | None) -> None:
        """Look for the server anew at the next command; it is the one at *place*, if that is given.

        Idle connections to another are closed when they are looked at.
        """
        self.breaks += 1
        known = self._client
        if known is None or not known.process.is_current:
            return
        self._client = None if place is None else _Known.at(self.address, *place)


class _Known(NamedTuple):
    """A client of one server, and the process that made it."""

    process: Process
    client: redis.Redis
    place: tuple[str, int]
    checked: list[bool]
    """Not empty once its settings were looked at."""

    @classmethod
    def at(cls, address: Address, host: str, port: int) -> _Known:
        return cls(Process(), _client(address, host, port), (host, port), [])

    def connection(self) -> redis.Connection:
        made: Any = self.client.connection_pool.make_connection()
        made.connect()
        return cast("redis.Connection", made)


class _Attempt:
    """What is being sent, and whether to send it once more after an error.

    After `FAILOVER_SECONDS`, or `SAVE_SECONDS`, it is not, however long the other server takes.
    """

    __slots__ = (
        "_again",
        "_left",
        "_pause",
        "_script",
        "_several",
        "_until",
        "asked",
        "commands",
        "errors",
        "is_elsewhere",
        "moved",
        "sent",
    )  # fmt: skip

    def __init__(
        self,
        commands: Sequence[Sequence[object]],
        script: Script | None,
        *,
        again: bool,
        several: bool,
    ) -> None:
        import redis

        self.commands = commands
        self.errors = (redis.RedisError, OSError, ValueError, RecursionError)
        self.sent = False
        """Whether the commands were sent, as far as is known."""
        self.asked: tuple[str, int] | None = None
        """The server that takes keys over, to which they are sent once."""
        self.moved: tuple[str, int] | None = None
        """The server that has the keys now, where another said so."""
        self.is_elsewhere = False
        self._script = script
        self._again = again
        self._several = several
        self._left = _MOST_REDIRECTS if several else 1
        self._until = self._pause = 0.0

    def may_go_on(self, error: Exception) -> bool:
        """Whether to send it again, by what *error* says about the time before."""
        import redis.exceptions as kinds

        self.asked = self.moved = None
        self.is_elsewhere = False
        if isinstance(error, kinds.NoScriptError):
            return self._with_its_text()
        if not self._several:
            return self._lost_once(error)
        if isinstance(error, kinds.AskError):  # MovedError is one
            self._left -= 1
            if self._left < 0:
                return False
            place = error.node_addr if error.node_addr[0] else None
            if isinstance(error, kinds.MovedError):
                self.is_elsewhere, self.moved = True, place
            else:
                self.asked = place
                return place is not None
            return True
        # Nothing was run; it may be in a moment, there or at another.
        waits = (
            kinds.TryAgainError,
            kinds.ClusterDownError,
            kinds.MasterDownError,
            kinds.ReadOnlyError,
            kinds.BusyLoadingError,
        )
        if isinstance(error, waits) or any(word in str(error) for word in _NOT_RUN):
            self.is_elsewhere = not isinstance(error, kinds.TryAgainError)
            return self._paused()
        if isinstance(error, (kinds.ConnectionError, kinds.TimeoutError, OSError)):
            if isinstance(error, (kinds.AuthenticationError, kinds.AuthorizationError)):
                return False
            self.is_elsewhere = True
            return (self._again or not self.sent or self._is_marked()) and self._paused()
        return False

    def _is_marked(self) -> bool:
        """Whether the script can tell that it was run before, and is asked to."""
        if self._script is None or not self._script.settles:
            return False
        first, *rest = self.commands
        self.commands = [_marked(first), *rest]
        return True

    def _with_its_text(self) -> bool:
        """It was not run: the server has started anew or never saw the script."""
        first = self.commands[0]
        if self._script is None or first[0] == "EVAL":
            return False
        self.commands = [("EVAL", self._script.text, *first[2:]), *self.commands[1:]]
        return True

    def _lost_once(self, error: Exception) -> bool:
        import redis

        self._left -= 1
        return self._again and self._left >= 0 and type(error) is redis.ConnectionError

    def _paused(self) -> bool:
        now = monotonic()
        if not self._until:
            saves = self._script is not None and self._script.settles
            patience = SAVE_SECONDS if saves else FAILOVER_SECONDS
            self._until, self._pause = now + patience, _FIRST_PAUSE
        if now >= self._until:
            return False
        # Uneven, so that not all workers ask for the new server at the same moment.
        time.sleep(self._pause * (0.5 + os.urandom(1)[0] / 255))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return True


def _marked(command: Sequence[object]) -> Sequence[object]:
    """The command of a script that settles, as it is sent once more."""
    return command if command[-1] == "again" else (*command, "again")


def _talk(connection: redis.Connection, commands: Sequence[Sequence[object]]) -> list[Any]:
    """Send the commands and read a reply to each; the first error among them is raised.

    The connection is closed where the replies were not read to their end.
    """
    import redis.exceptions

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
    if refused is not None:
        raise refused
    return replies


def _packed(commands: Sequence[Sequence[object]]) -> bytes:
    """Commands as they are sent (https://redis.io/docs/latest/develop/reference/protocol-spec)."""
    parts = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _socket(connection: redis.Connection) -> socket.socket | None:
    """None where it is closed."""
    found: socket.socket | None = connection._sock  # noqa: SLF001
    return found


def _is_quiet(connection: redis.Connection) -> bool:
    """Whether the server has not hung up, and nothing was left unread."""
    sock = _socket(connection)
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


def check_policy(connection: redis.Connection, location: str) -> None:
    """Refuse a server that would throw locks, counts or records away when memory runs out.

    Every policy but `noeviction` may: the `volatile-…` ones take exactly the keys that expire,
    which are the locks and the records. Raises `VaultIOError` naming the setting, and the errors
    of redis-py.
    """
    import redis.exceptions

    try:
        (info,) = _talk(connection, [("INFO", "memory")])
        lines = info.split(b"\r\n") if isinstance(info, bytes) else []
        found = [line.partition(b":")[2] for line in lines if line.startswith(_POLICY)]
        policy = found[0] if found else None
    except redis.exceptions.NoPermissionError:
        (reply,) = _talk(connection, [("CONFIG", "GET", "maxmemory-policy")])
        policy = reply[1] if isinstance(reply, list) and len(reply) > 1 else None
    name = policy.decode("ascii", "replace") if isinstance(policy, bytes) else None
    if name is None and _is_sentinel(connection):
        raise VaultIOError(
            f"{location}: this is a Sentinel, which keeps no records. Give its address as "
            "redis+sentinel://HOST:PORT/NAME with the name of the primary that it watches.",
            path=location,
        )
    if name != "noeviction":
        raise VaultIOError(
            f"{location}: maxmemory-policy is {name or 'unknown'}, with which the server "
            "may drop locks and sessions when its memory is used up. Change the setting: "
            "CONFIG SET maxmemory-policy noeviction (and in redis.conf), or use a dedicated "
            "server.",
            path=location,
        )


def _is_sentinel(connection: redis.Connection) -> bool:
    import redis.exceptions

    try:
        (info,) = _talk(connection, [("INFO", "server")])
    except redis.exceptions.NoPermissionError:
        return False
    return isinstance(info, bytes) and b"_mode:sentinel" in info  # redis_ or server_


# What a server answers for a while: it is loading, runs another's script, has lost its primary,
# its replicas or a part of its cluster, or is handing keys over. Nothing was run.
_NOT_RUN = ("LOADING ", "MASTERDOWN ", "NOREPLICAS ", "CLUSTERDOWN ", "READONLY ")
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
    moved = isinstance(error, kinds.MovedError)
    if not moved and (isinstance(error, passing) or any(word in text for word in _PASSING)):
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
        number = errno.EROFS
        remedy = "It is a replica: use the address of the primary, or redis+sentinel://."
    elif "MISCONF" in text:
        remedy = "It cannot save to its disk: check the server's log and its disk."
    elif moved or "MOVED" in text:
        remedy = (
            "It is a node of a cluster, without these keys: use redis+cluster:// and the addresses "
            "of some nodes."
        )
    elif address.kind == CLUSTER and "cluster" in text.lower():
        remedy = "The server is not in a cluster: use redis:// for a single server."
    elif address.kind == SENTINEL and "SENTINEL" in text.upper():
        remedy = "The server is not a Sentinel: use redis:// for the server itself."
    else:
        remedy = "Check the server's version (5 or later) and its log."
    return VaultIOError(
        f"{where}: the server refused ({text}). {remedy} The old content is intact.",
        path=where,
        errno=number,
    )


def _unreachable(where: str, text: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{where}: the store does not answer ({text}). {_remedy(where, text)}", path=where
    )


def _remedy(where: str, text: str) -> str:
    """What to do about a server that does not answer, by what is known about it."""
    if where.startswith("rediss"):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return (
                "Its certificate is not trusted: give the authority that signed it with "
                "?ca=FILE, and the host as the certificate names it."
            )
        if any(sign in text for sign in _NO_TLS):
            return "Its port does not speak TLS: give its TLS port, or redis:// on one machine."
        return "Check that the server runs, that this is its TLS port, and try again."
    elif any(sign in text for sign in _HUNG_UP):
        return "It hung up: where its port is a TLS port, the URL begins with rediss://."
    return "Check that the server runs and can be reached, and try again."


_NO_TLS = ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure")
_HUNG_UP = ("closed by server", "Connection reset", "not a Redis reply")


def _scrubbed(error: BaseException, address: Address) -> str:
    text = str(error) or type(error).__name__
    if address.password is not None:
        text = text.replace(address.password.reveal().decode(), "…")
    # "… script: fa25…, on @user_script:9.": what is told of our scripts helps nobody.
    text = re.sub(r" script: ([0-9a-f]+, )?on @user_script:\d+\.?$", "", text)
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip().rstrip(".")


def _client(address: Address, host: str, port: int) -> redis.Redis:
    import redis.cluster

    options = connect_options(address)
    if address.kind != CLUSTER:
        options["db"] = address.database
    client = redis.Redis(host=host, port=port, **options)
    pool = client.connection_pool
    pool.connection_class = _patient(pool.connection_class)
    parser = getattr(redis.cluster, "ClusterParser", None)
    if parser is not None:
        # Before redis-py 6.0, it alone tells MOVED and ASK from other errors.
        pool.connection_kwargs["parser_class"] = parser
    return client
