"""An opt-in that makes it harder to get at keys in memory: no core dumps, key pages not swapped.

    from interpal.vault import Vault, harden_process

    vault = Vault.open("team.json")
    harden_process(vault)

Linux only (prctl(2), mlock(2)); elsewhere it warns and does nothing. What it costs, and what
it does not do:

* The process leaves no core file, and no debugger, `strace` or `py-spy` of the same user can
  attach to it. Root still can. Forked children inherit this, programs started by exec do not.
* Each key takes a page of the memory that a user may lock (`ulimit -l`), until the process ends.
  Only the keys of the vaults that are given, as they are now: not those of a later rotation, not
  the copies that the cryptography library makes while it works, not a passphrase or a session,
  and not what a forked child has of them. A hibernating machine writes locked pages, too.
* Nothing is wiped: Python cannot. `mlockall` is not used, since Argon2id could not have its memory
  under the usual limit.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from interpal._log import Logger

if TYPE_CHECKING:
    from interpal._hidden import Hidden
    from interpal.vault.vault import Vault

_log = Logger("interpal.vault.hardening")

PR_SET_DUMPABLE = 4


class Hardening(NamedTuple):
    """What could be done: `undumpable` of the process, `locked` in bytes of memory."""

    undumpable: bool
    locked: int


def harden_process(*vaults: Vault) -> Hardening:
    """Forbid core dumps and debuggers, and lock the pages that hold the keys of open *vaults*.

    What the system does not allow is a WARNING and is left out; nothing is raised. May be
    called again, with vaults that were opened or rotated since.
    """
    if sys.platform != "linux":
        _log.warning("harden_process: only Linux has what it needs; nothing was done")
        return Hardening(undumpable=False, locked=0)
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    undumpable = libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    if not undumpable:
        _log.warning("harden_process: core dumps stay on: %s", os.strerror(ctypes.get_errno()))
    size = os.sysconf("SC_PAGE_SIZE")
    locked = 0
    for page in sorted(_pages(_keys(vaults), size)):
        if libc.mlock(ctypes.c_void_p(page), ctypes.c_size_t(size)) != 0:
            _log.warning(
                "harden_process: a key could not be locked in memory: %s. Raise `ulimit -l`",
                os.strerror(ctypes.get_errno()),
            )
            break
        locked += size
    return Hardening(undumpable, locked)


def _keys(vaults: tuple[Vault, ...]) -> list[Hidden[bytes]]:
    """The vault key of each vault and the key-encryption key that opened it."""
    keys = []
    for vault in vaults:
        versions = vault._versions  # noqa: SLF001  (keys have no public name, and shall have none)
        state = versions.known()
        if state is not None:
            at_hand = (versions.opener.cached_key(slot) for slot in state.header.slots)
            keys += [state.vault_key, *(key for key in at_hand if key is not None)]
    return keys


def _pages(keys: list[Hidden[bytes]], size: int) -> set[int]:
    """The addresses of the pages that hold these objects; CPython does not move them."""
    return {
        page
        for at, length in ((id(one.reveal()), sys.getsizeof(one.reveal())) for one in keys)
        for page in range(at // size * size, at + length, size)
    }
