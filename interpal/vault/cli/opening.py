"""Opens the vault of a verb: first the sources of a key, then a question at the terminal."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from interpal._secret import Secret
from interpal.exceptions import (
    KeyRequiredError,
    ValidationError,
    VaultError,
    VaultFormatError,
    WrongKeyError,
)
from interpal.vault import environment, keys, report
from interpal.vault.cli import errors, places
from interpal.vault.cli.terminal import TRIES, NoAnswerError, Terminal
from interpal.vault.stores import Stored
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interpal.vault.keys import KeySource
    from interpal.vault.slots import KdfParameters
    from interpal.vault.stores import LoginLock, Store, Writer

WOULD_DO = (
    "set INTERPALS_VAULT_PASSPHRASE_FILE, INTERPALS_VAULT_PASSPHRASE_COMMAND or "
    "INTERPALS_VAULT_PASSPHRASE (for a key: INTERPALS_VAULT_KEY_FILE or INTERPALS_VAULT_KEY)"
)


class Memory:
    """A vault in memory, as a `Store`: for bytes that were read, or are to be written elsewhere."""

    def __init__(self, location: str, stored: Stored | None = None) -> None:
        self._location = location
        self.stored = stored

    @property
    def location(self) -> str:
        """The path that messages name."""
        return self._location

    def load(self) -> Stored | None:
        """The bytes, None where there are none yet."""
        return self.stored

    @contextmanager
    def write_lock(self, timeout: float) -> Iterator[Writer]:  # noqa: ARG002
        """Nobody else is there."""
        yield self

    def login_lock(self, tag: bytes) -> LoginLock:
        """Nobody logs in to a copy."""
        raise NotImplementedError

    def save(self, data: bytes, *, verify: Callable[[bytes], None] | None = None) -> Stored:
        """Keep *data*, once *verify* has passed it."""
        if verify is not None:
            verify(data)
        self.stored = Stored(data, None)
        return self.stored

    def remove(self) -> None:
        """Forget the bytes."""
        self.stored = None

    def set_aside(self, seen: Stored) -> str | None:  # noqa: ARG002
        """There is no place to put them."""
        return None

    def close(self) -> None:
        """Nothing is open."""


def open_vault(place: str | Store, *, typed: list[str] | None = None) -> Vault:
    """The vault at a path, a URL or in a store, all of it authenticated.

    *typed* are passphrases that the person has typed for other vaults of this run; they are
    tried before a question is asked, and its answer is added. Raises the errors of
    `Vault.open`; those of keys say what would do.
    """
    store = places.store_of(place) if isinstance(place, str) else place
    if not places.exists(store):
        raise errors.no_vault(store.location)
    source = keys.find_source()

    def start(source: KeySource) -> Vault:
        vault = Vault(store, source)
        start_vault(vault, store)
        return vault

    try:
        return start(source)
    except (KeyRequiredError, WrongKeyError) as error:
        if not is_default(source):
            raise
        if not _takes_passphrase(store):
            raise _explained(error, store.location) from None
        opened = _with_typed(start, typed)
        if opened is not None:
            return opened
        with _asking(error, store.location) as terminal:
            return ask_and_start(terminal, store.location, start, typed=typed)


def start_vault(vault: Vault, store: Store) -> None:
    """Read and open what is in *store*, with errors that say what lies there instead."""
    try:
        vault.start()
    except VaultFormatError as error:
        # The library names the member; a person is helped more by what the file is.
        stored = places.load(store) if type(error) is VaultFormatError else None
        what = None if stored is None else report.what_instead(stored.data)
        if what is None:
            raise
        raise VaultFormatError(f"{vault.path}: {what}", path=vault.path) from None


def peek(store: Store, *, passphrases: bool) -> Vault | None:
    """The vault in *store*, to look only: None where no key is at hand, or Enter was pressed.

    *passphrases* tells whether one could open it, so that asking makes sense.
    """
    try:
        return _opened(store, passphrases=passphrases)
    except _NoKeyError:
        return None


class _NoKeyError(KeyRequiredError):
    """There is none, and nobody to ask, or the person did not want to say it."""


def _opened(store: Store, *, passphrases: bool) -> Vault:
    location, start = store.location, _starter(store)
    source = keys.find_source()
    try:
        return start(source)
    except (KeyRequiredError, WrongKeyError) as error:
        if not is_default(source):
            raise
        terminal = Terminal.open() if passphrases else None
        if terminal is None:
            raise _explained(error, location) from None
    with terminal:
        return ask_and_start(terminal, location, start, skip=True)


def open_copy(location: str, stored: Stored, *, secret_file: str | None, typed: list[str]) -> Vault:
    """A copy of a vault, which may have a secret of its own.

    That is in *secret_file*; else the key at hand may open it, else the person is asked.
    """
    start = _starter(Memory(location, stored))
    if secret_file is not None:
        slots = report.parsed(location, stored.data).header.slots
        kind = "passphrase" if any(slot.kind == "passphrase" for slot in slots) else "key"
        secret = secret_from_file(secret_file, kind)
        source = keys.explicit_source(**{kind: secret})  # type: ignore[arg-type]
        return start(source)
    try:
        return start(keys.find_source())
    except (KeyRequiredError, WrongKeyError) as error:
        opened = _with_typed(start, typed)
        if opened is not None:
            return opened
        terminal = Terminal.open()
        if terminal is None:
            raise type(error)(
                f"{location}: the key at hand does not open this copy, and there is no terminal "
                "to ask; give its secret with --secret-file FILE",
                path=location,
            ) from None
    with terminal:
        return ask_and_start(terminal, location, start, typed=typed)


def _starter(store: Store) -> Callable[[KeySource], Vault]:
    def start(source: KeySource) -> Vault:
        vault = Vault(store, source)
        vault.start()
        return vault

    return start


def _with_typed(start: Callable[[KeySource], Vault], typed: list[str] | None) -> Vault | None:
    for passphrase in typed or ():
        with suppress(WrongKeyError, KeyRequiredError):
            return start(keys.passphrase_argument(passphrase, "prompt"))
    return None


def ask_and_start(
    terminal: Terminal,
    location: str,
    start: Callable[[KeySource], Vault],
    *,
    skip: bool = False,
    typed: list[str] | None = None,
) -> Vault:
    """Ask for the passphrase, three times at most. `KeyRequiredError` where Enter was pressed."""
    hint = " (Enter to look without it)" if skip else ""
    for left in reversed(range(TRIES)):
        passphrase = terminal.ask_passphrase(f"Passphrase for {location}{hint}: ")
        if passphrase is None:
            raise _NoKeyError(f"{location}: no passphrase was given", path=location)
        try:
            vault = start(keys.passphrase_argument(passphrase, "prompt"))
        except WrongKeyError:
            if not left:
                raise WrongKeyError(
                    f"{location}: none of the {TRIES} passphrases opens it; nothing was changed",
                    path=location,
                ) from None
            terminal.tell("That passphrase does not open it.")
        else:
            if typed is not None:
                typed.append(passphrase)
            return vault
    raise AssertionError


def source_for_new_vault(path: str, *, ask: bool) -> KeySource:
    """Where the key of a vault that is to be made comes from."""
    if not ask:
        return keys.find_source()
    passphrase = new_passphrase(path)
    return keys.passphrase_argument(passphrase, "prompt")


def new_source(path: str) -> KeySource:
    """The secret that is to be: from `INTERPALS_VAULT_NEW_PASSPHRASE[_FILE]`, or a prompt."""
    source = keys.new_secret_source()
    return source or keys.passphrase_argument(new_passphrase(path), "prompt")


def new_passphrase(whose: str) -> str:
    """A new passphrase from the terminal, typed twice."""
    terminal = Terminal.open()
    if terminal is None:
        raise KeyRequiredError(
            f"{whose}: there is no terminal to ask for the new passphrase; set "
            "INTERPALS_VAULT_NEW_PASSPHRASE_FILE or INTERPALS_VAULT_NEW_PASSPHRASE",
            path=whose,
        )
    with terminal:
        return terminal.ask_new_passphrase(whose)


def confirm(question: str, *, yes: bool, only_if_asked: bool = False) -> None:
    """Ask before something is lost. Raises `Declined` for a no, and without a terminal.

    With *only_if_asked* a program, which has no terminal, goes on without being asked.
    """
    if yes:
        return
    terminal = Terminal.open()
    if terminal is None:
        if only_if_asked:
            return
        raise ValidationError(f"{question} There is no terminal to ask: add --yes")
    with terminal:
        try:
            answer = terminal.ask(f"{question} [y/N] ")
        except NoAnswerError:
            answer = ""
    if answer.lower() not in ("y", "yes"):
        raise errors.Declined("nothing was changed")


def is_default(source: KeySource) -> bool:
    """Whether this is the user's key file, which is tried where nothing was said."""
    return source.name == f"key file {keys.default_key_path()}"


def profile(name: str | None) -> KdfParameters | None:
    """The Argon2id settings of a name on the command line."""
    from interpal.vault.slots import KdfParameters

    if name is None:
        return None
    return {
        "default": KdfParameters.DEFAULT,
        "strong": KdfParameters.STRONG,
        "low-memory": KdfParameters.LOW_MEMORY,
    }[name]


def _takes_passphrase(store: Store) -> bool:
    try:
        stored = places.load(store)
        slots = report.parsed(store.location, stored.data).header.slots
    except VaultError:
        return False
    return any(slot.kind == "passphrase" for slot in slots)


def terminal_for(store: Store) -> Terminal | None:
    """The terminal, where a passphrase could open what is in *store*."""
    return Terminal.open() if _takes_passphrase(store) else None


@contextmanager
def _asking(error: VaultError, location: str) -> Iterator[Terminal]:
    terminal = Terminal.open()
    if terminal is None:
        raise _explained(error, location) from None
    with terminal:
        yield terminal


def _explained(error: VaultError, location: str) -> VaultError:
    """The error of a key, with the ways that the command line has."""
    path = keys.default_key_path()
    if isinstance(error, WrongKeyError):
        what = f"the key file {path} does not open it"
    elif os.path.lexists(path):
        what = f"it opens with a passphrase, and only the key file {path} is at hand"
    else:
        what = "no key is at hand"
    kind = WrongKeyError if isinstance(error, WrongKeyError) else _NoKeyError
    return kind(f"{location}: {what}, and there is no terminal to ask; {WOULD_DO}", path=location)


def key_from_file(path: str) -> Secret:
    """The raw key in a file (docs/keys.md, the rules for key files)."""
    return environment.key_in_file(Secret(os.fsencode(path)), "key file")


def secret_from_file(path: str, kind: str) -> str | Secret:
    """The passphrase (text) or the raw key (bytes) in a file."""
    if kind == "key":
        return key_from_file(path)
    return environment.passphrase_in_file(Secret(os.fsencode(path)), "passphrase file").text
