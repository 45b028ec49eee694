"""Which server has the keys of a vault: that of the URL, a primary that Sentinels name, a node.

Sentinels and clusters are asked by redis-py's own clients of them. What they name is where the
next connection goes; a server that was asked before is not asked for another's keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpal.exceptions import ValidationError
from interpal.vault.stores.redis.address import CLUSTER, SENTINEL

if TYPE_CHECKING:
    from interpal.vault.stores.redis.address import Address

    Place = tuple[str, int]
    """Host and port."""

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 3.0

_MOST_NODES = 64


def require_library() -> None:
    """Raises `ValidationError` where redis-py is not installed."""
    from importlib import import_module

    try:
        import_module("redis")
    except ImportError:
        raise ValidationError(
            "store: redis:// needs the redis library: pip install 'interpal-vault[redis]'"
        ) from None


def find_server(address: Address, nodes: tuple[Place, ...]) -> tuple[Place, tuple[Place, ...]]:
    """The server that has the keys, and whom to ask the next time, of whom *nodes* are known.

    Raises the errors of redis-py: a `ConnectionError` where none of them can tell.
    """
    if address.kind == SENTINEL:
        return _primary(address), nodes
    if address.kind == CLUSTER:
        return _node(address, nodes)
    return address.server, nodes


def _primary(address: Address) -> Place:
    """The primary of the service, by the first Sentinel that knows it."""
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.sentinel import MasterNotFoundError, Sentinel

    options = connect_options(address, as_sentinel=True)
    asked: Any = Sentinel(list(address.hosts), sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    try:
        host, port = asked.discover_master(address.service)
    except MasterNotFoundError as error:
        reason = ": NOAUTH, give sentinel_password=" if "NOAUTH" in str(error) else ""
        raise RedisConnectionError(
            f"no Sentinel knows a primary called {address.service!r}{reason}"
        ) from None
    finally:
        for sentinel in asked.sentinels:
            sentinel.close()
    return str(host), int(port)


def _node(address: Address, nodes: tuple[Place, ...]) -> tuple[Place, tuple[Place, ...]]:
    """The node that has the hash slot of the prefix, by the first node that tells."""
    from redis import exceptions
    from redis.cluster import ClusterNode, NodesManager
    from redis.crc import key_slot

    options = connect_options(address)
    for option in ("retry", "retry_on_error"):  # It sees to them itself.
        options.pop(option)
    known = (*nodes, *(host for host in address.hosts if host not in nodes))
    # The part of its client of clusters that finds nodes: the whole asks for the table of all
    # commands first, and again for some seconds where a node is gone.
    try:
        manager: Any = NodesManager(
            startup_nodes=[ClusterNode(*place) for place in known],  # type: ignore[no-untyped-call]
            require_full_coverage=False,
            **options,
        )
    except exceptions.RedisClusterException as error:
        if "not enabled" in str(error):
            raise exceptions.ResponseError(str(error)) from None
        raise exceptions.ConnectionError(str(error)) from None
    try:
        found = manager.get_node_from_slot(key_slot(f"{{{address.prefix}}}:root".encode()))
        others = tuple((node.host, int(node.port)) for node in manager.nodes_cache.values())
    except exceptions.RedisClusterException as error:
        raise exceptions.ClusterDownError(str(error)) from None
    finally:
        manager.close()
    return (found.host, int(found.port)), others[:_MOST_NODES]


def connect_options(address: Address, *, as_sentinel: bool = False) -> dict[str, Any]:
    """The settings of a connection of redis-py: no tries of its own, and bounded waits.

    With the user and the password of *address*; as a Sentinel is asked, with those for it.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "protocol": 2,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": COMMAND_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        **_quiet(),
    }
    username = address.sentinel_username if as_sentinel else address.username
    password = address.sentinel_password if as_sentinel else address.password
    if password is not None:
        # Not as `password=`, which would stand in the settings of every connection.
        options["credential_provider"] = redis.UsernamePasswordCredentialProvider(
            username, password.reveal().decode()
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
    return options


def _quiet() -> dict[str, Any]:
    """What keeps redis-py from telling the server its name and version at each connection."""
    import redis

    try:
        redis.Connection(driver_info=None)  # type: ignore[no-untyped-call]
    except TypeError:
        return {"lib_name": None, "lib_version": None}
    return {"driver_info": None}
