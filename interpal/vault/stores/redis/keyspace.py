"""The keys of one vault in Redis, and the scripts run on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from interpal.exceptions import (
    StaleWriteError,
    VaultCorruptError,
    VaultLimitError,
    VaultPermissionError,
)
from interpal.vault.format.jwe import b64decode, b64encode
from interpal.vault.stores.base import LoadedRecord, Stored, StoredRecord
from interpal.vault.stores.redis import scripts
from interpal.vault.stores.redis.client import RedisClient
from interpal.vault.stores.redis.lock import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from interpal.vault.stores.base import Fence, RecordWrite
    from interpal.vault.stores.redis.address import Address

MOST_WRITES = 20_000
"""Records changed by one script: some tenths of a second for which others wait."""

BATCH = 250
"""Records read or written by one script: a few milliseconds for which others wait."""

GRACE_MS = 7 * 86_400_000
"""How long a record stays after its expiry, and after it was saved at the least."""

# The latest time, in seconds, that Redis adds up without an overflow.
_FAR = 10**11

_REFUSALS = {
    "vault": "the vault was rotated, replaced or removed",
    "lock": "the write lock was lost, because its holder was delayed for too long",
    "fence": "the login lock was lost, and another process has held it since",
    "record": "another process has changed the record",
    "lost": "the server has lost a part of the new records, as it may in a failover or a crash, "
    "and the vault is as it was before the rotation: rotate again",
}


class Filled(NamedTuple):
    """What a rotation has written: how many records, and the sum of their generations."""

    records: int
    generations: int


class Space:
    """What stands under the prefix of *address*. Values in the words of `scripts.py`."""

    __slots__ = ("_prefix", "client", "keys")

    def __init__(self, address: Address) -> None:
        self.client = RedisClient(address)
        self._prefix = f"{{{address.prefix}}}:"
        self.keys = Keys(*(self._prefix + name for name in ("root", "write", "fence", "sets")))

    @property
    def location(self) -> str:
        """The URL without its password."""
        return self.client.location

    def key(self, name: str) -> str:
        """The key called *name* under the prefix."""
        return self._prefix + name

    def root(self) -> Stored | None:
        """The root, None where there is none. Its identity is the vault's id."""
        return self.as_root(self.client.ask("HMGET", self.keys.root, "id", "d"))

    def as_root(self, reply: Sequence[bytes | None]) -> Stored | None:
        """The root in the server's reply of its id and itself."""
        vault_id, data = reply
        if vault_id is None or data is None:
            return None
        identity = _id(vault_id)
        if identity is None:
            raise VaultCorruptError(
                f"{self.location}: the vault is damaged: what stands under {self.keys.root} has "
                "no vault id. Restore it from a backup.",
                path=self.location,
            )
        return Stored(data, identity)

    def record(self, vault_id: bytes, tag: bytes) -> LoadedRecord:
        """One record of a vault, and whether the root is that vault."""
        # The record first: where the root is still the vault after that, the record was its own.
        data, found = self.client.ask_all(
            ("HGET", self._record(vault_id, _text(tag)), "d"), ("HGET", self.keys.root, "id")
        )
        if found != vault_id.hex().encode("ascii"):
            return LoadedRecord(None, current=False)
        return LoadedRecord(data, current=True)

    def records(self, vault_id: bytes) -> Iterator[StoredRecord]:
        """All records of a vault, each once."""
        index = self._index(vault_id)
        seen: set[bytes] = set()
        cursor, breaks = 0, self.client.breaks
        while True:
            cursor, found = self.client.ask("SSCAN", index, cursor, "COUNT", BATCH)
            if breaks != self.client.breaks:
                # It may be of another server, or of one that has started anew, by whose order
                # of members this is another place.
                cursor, breaks = 0, self.client.breaks
                continue
            # A scan may give a member twice, and a small set as a whole.
            tags = [tag for tag in set(found) if tag not in seen]
            seen.update(tags)
            for start in range(0, len(tags), BATCH):
                some = tags[start : start + BATCH]
                keys: list[str | bytes] = [index]
                keys += [self._record(vault_id, tag) for tag in some]
                values = self.client.run(scripts.READ_MANY, keys, some, again=True)
                for tag, data in zip(some, values, strict=True):
                    known = _tag(tag)
                    if data is not None and known is not None:
                        yield StoredRecord(known, data)
            if not int(cursor):
                return

    def commit(
        self,
        token: str,
        vault_id: bytes,
        changes: Sequence[RecordWrite],
        root: bytes | None,
        fence: Fence | None,
    ) -> bool:
        """Make all changes or none. False where another holds the write lock.

        With a *token* the write lock is this holder's, and is freed by the same step. Raises
        `VaultLimitError` before anything is sent where it would hold the server up.
        """
        if len(changes) > MOST_WRITES:
            raise VaultLimitError(
                f"{self.location}: {len(changes)} records in one transaction would hold the "
                f"server up for all others; save at most {MOST_WRITES} of them at a time. Nothing "
                "was written.",
                path=self.location,
            )
        tags = [_text(change.tag) for change in changes]
        keys: list[str | bytes] = [*self.keys[:3], self._index(vault_id)]
        keys += [self._record(vault_id, tag) for tag in tags]
        values: list[object] = [vault_id.hex(), token, root or b""]
        values += ("", "") if fence is None else (b64encode(fence[0]), fence[1])
        for tag, change in zip(tags, changes, strict=True):
            values += (tag, change.expected, change.generation, _end(change), change.data or b"")
        return self.write(scripts.COMMIT, keys, values) == "ok"

    def fill(
        self, token: str, vault_id: bytes, changes: Sequence[RecordWrite], before: Filled
    ) -> Filled:
        """Write records of the vault that a rotation makes; how many there are then.

        *before* is how many there have to be already.
        """
        after = Filled(
            before.records + len(changes),
            before.generations + sum(change.generation for change in changes),
        )
        tags = [_text(change.tag) for change in changes]
        keys: list[str | bytes] = [self.keys.write, self._index(vault_id), self.filled(vault_id)]
        keys += [self._record(vault_id, tag) for tag in tags]
        values: list[object] = [token, *before, *after]
        for tag, change in zip(tags, changes, strict=True):
            values += (tag, change.generation, _end(change), change.data or b"")
        self.write(scripts.FILL, keys, values)
        return after

    def drop(self, vault_id: bytes) -> None:
        """Take away the records of a vault that the root is not (any more)."""
        index = self._index(vault_id)
        while tags := self.client.ask("SRANDMEMBER", index, BATCH):
            keys: list[str | bytes] = [self.keys.root, index]
            keys += [self._record(vault_id, tag) for tag in tags]
            if not self.client.run(scripts.DROP, keys, (vault_id.hex(), *tags), again=True):
                return
        self.client.ask("DEL", self.filled(vault_id))
        self.client.ask("SREM", self.keys.sets, vault_id.hex())

    def left_over(self) -> list[bytes]:
        """The ids of vaults whose records are to go."""
        found = map(_id, self.client.ask("SMEMBERS", self.keys.sets))
        return [vault_id for vault_id in found if vault_id is not None]

    def has_login_lock(self) -> bool:
        """Whether a login lock of this vault is held."""
        keys = (self.keys.fence, self.key("login:"))
        try:
            return bool(self.client.run(scripts.LOGINS, keys, (), again=True))
        except VaultPermissionError:
            return False  # A user of before, who may not ask for it.

    def write(
        self, script: scripts.Script, keys: Sequence[str | bytes], values: Sequence[object]
    ) -> str:
        """The answer of a script that writes; raises `StaleWriteError` where it refused."""
        reply: bytes = self.client.run(script, keys, values, again=False)
        answer = reply.decode("ascii")
        if answer in _REFUSALS:
            raise StaleWriteError(
                f"{self.location}: {_REFUSALS[answer]}; nothing was written. Read again.",
                path=self.location,
            )
        return answer

    def filled(self, vault_id: bytes) -> str:
        """The key of what a rotation has written so far."""
        return f"{self._prefix}{vault_id.hex()}:filled"

    def _index(self, vault_id: bytes) -> str:
        return f"{self._prefix}{vault_id.hex()}:index"

    def _record(self, vault_id: bytes, tag: bytes) -> bytes:
        return f"{self._prefix}{vault_id.hex()}:r:".encode() + tag


# What the server has may have been written by anybody who can: it is not of one form.


def _id(value: bytes) -> bytes | None:
    """The id in a value of the server, None where it is none."""
    try:
        return bytes.fromhex(value.decode("ascii"))
    except ValueError:
        return None


def _tag(value: bytes) -> bytes | None:
    """The tag in a value of the server, None where it is none: no name leads to it."""
    try:
        return b64decode(value.decode("ascii"))
    except ValueError:
        return None


def _text(tag: bytes) -> bytes:
    return b64encode(tag).encode("ascii")


def _end(change: RecordWrite) -> int | str:
    """From when on the record may be dropped, in epoch milliseconds; '' for never."""
    if change.expires_at is None:
        return ""
    return int(min(max(change.expires_at, 0), _FAR) * 1000) + GRACE_MS
