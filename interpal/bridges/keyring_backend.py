"""A backend for the keyring library: what programs keep with it lies in a vault.

keyring finds it by the entry point `keyring.backends`, and uses it where somebody says so:
`PYTHON_KEYRING_BACKEND=interpal.bridges.keyring_backend.VaultKeyring`. See `docs/keyring.md`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.credentials import SimpleCredential
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError

from interpal.vault.files.thread_lock import ThreadLock

if TYPE_CHECKING:
    import os
    from collections.abc import Generator

    from keyring.credentials import Credential

    from interpal.vault.vault import Vault

_PREFIX = "keyring/"
_LONGEST_NAME = 1000
_PASSWORD = "password"  # noqa: S105  (the name of a member)

# The vaults of this process by their place: a key is derived once.
_opened: dict[str, Vault] = {}
_guard = ThreadLock()


class VaultKeyring(KeyringBackend):
    """Secrets in the vault at `vault`: a path, or the URL of a store.

    `KEYRING_PROPERTY_VAULT` sets it; without it, it is `vault.json` in the data folder of keyring.
    The key comes from the environment or from the user's key file, as for any vault.
    """

    vault: str | os.PathLike[str] | None = None

    @properties.classproperty
    def priority(self) -> float:
        """Below all backends of the system, and below keyring's own for "there is none"."""
        return -2

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def get_password(self, service: str, username: str) -> str | None:
        """The password; None where there is none. Raises `KeyringError`."""
        with _translated(KeyringError):
            vault = self._opened(create=False)
            record = None if vault is None else vault.get(_name(service, username))
            return None if record is None else str(record[_PASSWORD])

    def set_password(self, service: str, username: str, password: str) -> None:
        """Save a password; it is on the disk when this returns. Raises `PasswordSetError`."""
        with _translated(PasswordSetError):
            record = {"service": service, "username": username, _PASSWORD: password}
            del password
            vault = self._opened(create=True)
            if vault is not None:
                _put(vault, _name(service, username), record)

    def delete_password(self, service: str, username: str) -> None:
        """Remove a password. Raises `PasswordDeleteError`, also where there is none."""
        with _translated(PasswordDeleteError):
            vault = self._opened(create=False)
            try:
                if vault is not None:
                    del vault[_name(service, username)]
                    return
            except KeyError:
                pass
            raise PasswordDeleteError("there is no such password")

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Username and password; of any user of the service where no username is given."""
        if username is not None:
            password = self.get_password(service, username)
            return None if password is None else SimpleCredential(username, password)
        with _translated(KeyringError):
            vault = self._opened(create=False)
            for name in sorted(vault or ()):
                record = vault.get(name) if vault is not None and name.startswith(_PREFIX) else None
                if record is not None and record.get("service") == service:
                    return SimpleCredential(record["username"], record[_PASSWORD])
        return None

    def _opened(self, *, create: bool) -> Vault | None:
        """The vault, opened once in this process; None where there is none."""
        from interpal.exceptions import VaultNotFoundError
        from interpal.vault.keys.sources import find_source
        from interpal.vault.stores.opening import open_store
        from interpal.vault.vault import Vault

        place = self.vault if self.vault is not None else _default_place()
        store = open_store(place)
        with _guard:
            vault = _opened.get(store.location)
            if vault is not None:
                return vault
            source = find_source()
            if source.name.endswith("_KEYRING"):
                raise KeyringLocked(
                    f"{source.name}: the key of the vault in which keyring keeps its secrets "
                    "cannot come from keyring; use another source"
                )
            vault = Vault(store, source)
            try:
                vault.start(create=create)
            except VaultNotFoundError:
                return None
            _opened[store.location] = vault
            return vault


def _put(vault: Vault, name: str, record: dict[str, Any]) -> None:
    from interpal.exceptions import VaultNotFoundError

    try:
        vault[name] = record
    except VaultNotFoundError:
        # Taken away since it was opened.
        vault.start(create=True)
        vault[name] = record


@contextmanager
def _translated(kind: type[KeyringError]) -> Generator[None, None, None]:
    """Raise errors of the vault as those of keyring, which programs know."""
    from interpal.exceptions import InterpalException, VaultKeyError, VaultNotFoundError

    try:
        yield
    except VaultNotFoundError:
        if kind is not KeyringError:
            raise kind("there is no such password") from None
    except VaultKeyError as error:
        raise KeyringLocked(str(error)) from None
    except InterpalException as error:
        raise kind(str(error)) from None


def _default_place() -> str:
    import os

    from keyring.util import platform_

    return os.path.join(platform_.data_root(), "vault.json")


def _name(service: Any, username: Any) -> str:
    """The name of a record: readable where that is possible, else a digest."""
    from urllib.parse import quote

    # Half of a surrogate pair is a name as any other here: it is one to no vault.
    parts = [quote(str(text), safe=" @.:", errors="surrogatepass") for text in (service, username)]
    name = _PREFIX + "/".join(parts)
    if len(name) <= _LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"{_PREFIX}sha256:{sha256(name.encode()).hexdigest()}"
