"""Opens the vault of a verb: first the sources of a key, then a question at the terminal."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from interpal._hidden import Hidden
from interpal.exceptions import (
    KeyRequiredError,
    ValidationError,
    VaultError,
    VaultFormatError,
    WrongKeyError,
)
from interpal.vault.cli import errors, output, stores
from interpal.vault.cli.terminal import TRIES, NoAnswerError, Terminal
from interpal.vault.health import report
from interpal.vault.keys import environment, sources
from interpal.vault.stores.file import FileStore
from interpal.vault.stores.memory import Memory
from interpal.vault.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.vault.format.key_slots import KdfParameters
    from interpal.vault.keys.sources import KeySource
    from interpal.vault.stores.base import Store, Stored

WOULD_DO = (
    "set SESSION_VAULT_PASSPHRASE_FILE, SESSION_VAULT_PASSPHRASE_COMMAND or "
    "SESSION_VAULT_PASSPHRASE (for a key: SESSION_VAULT_KEY_FILE or SESSION_VAULT_KEY)"
)


def open_vault(place: str | Store, *, typed: list[str] | None = None) -> Vault:
    """The vault at a path, a URL or in a store, all of it authenticated.

    *typed* are passphrases that the person has typed for other vaults of this run; they are
    tried before a question is asked, and its answer is added. Raises the errors of
    `Vault.open`; those of keys say what would do.
    """
    store = stores.store_of(place) if isinstance(place, str) else place
    if not stores.exists(store):
        raise errors.no_vault(store.location)
    return _opened(store, typed=typed)


def peek(store: Store) -> Vault | None:
    """The vault in *store*, to look only: None where no key is available, or Enter was pressed."""
    try:
        return _opened(store, skip=True)
    except _NoKeyError:
        return None


class _NoKeyError(KeyRequiredError):
    """There is none, and nobody to ask, or the person did not want to say it."""


def _opened(store: Store, *, typed: list[str] | None = None, skip: bool = False) -> Vault:
    start, source = starter(store), sources.find_source()
    try:
        return start(source)
    except (KeyRequiredError, WrongKeyError) as error:
        if not _is_default(source):
            raise
        asks = takes_passphrase(store)
        opened = _with_typed(start, typed) if asks else None
        if opened is not None:
            return opened
        terminal = Terminal.open() if asks else None
        if terminal is None:
            raise _explained(error, source, store.location, asks=asks) from None
    with terminal:
        return ask_and_start(terminal, store.location, start, skip=skip, typed=typed)


def starter(store: Store) -> Callable[[KeySource], Vault]:
    """What opens the vault in *store* with a source, with errors that say what is there instead."""

    def start(source: KeySource) -> Vault:
        if isinstance(store, FileStore):
            # What turns out to be no vault keeps its mode bits.
            report.parsed(store.location, report.load(store))
        vault = Vault(store, source)
        try:
            vault.start()
        except VaultFormatError as error:
            if type(error) is not VaultFormatError:
                raise
            # The library names the member; a person is helped more by what the file is.
            what = report.what_instead(stores.load(store).reveal())
            if what is None:
                raise
            raise VaultFormatError(f"{vault.path}: {what}", path=vault.path) from None
        return vault

    return start


def open_copy(location: str, stored: Stored, *, secret_file: str | None, typed: list[str]) -> Vault:
    """A copy of a vault, which may have a secret of its own.

    That is in *secret_file*; else the available key may open it, else the person is asked.
    """
    store = Memory(location, stored, max_size=stores.max_size())
    start = starter(store)
    if secret_file is not None:
        kind = "passphrase" if takes_passphrase(store) else "key"
        secret = secret_from_file(secret_file, kind)
        source = sources.explicit_source(**{kind: secret})  # type: ignore[arg-type]
        return start(source)
    try:
        return start(sources.find_source())
    except (KeyRequiredError, WrongKeyError) as error:
        asks = takes_passphrase(store)
        opened = _with_typed(start, typed) if asks else None
        if opened is not None:
            return opened
        terminal = Terminal.open() if asks else None
        if terminal is None:
            nobody = ", and there is no terminal to ask" if asks else ""
            raise type(error)(
                f"{location}: the available key does not open this copy{nobody}; give its secret "
                "with --secret-file FILE",
                path=location,
            ) from None
    with terminal:
        return ask_and_start(terminal, location, start, typed=typed)


def _with_typed(start: Callable[[KeySource], Vault], typed: list[str] | None) -> Vault | None:
    for passphrase in typed or ():
        with suppress(WrongKeyError, KeyRequiredError):
            return start(sources.passphrase_argument(passphrase, "prompt"))
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
    output.make_room()
    # Argon2id takes its time, and a person may type on.
    with terminal.quiet():
        for _ in range(TRIES):
            passphrase = terminal.ask_passphrase(f"Passphrase for {location}{hint}: ")
            if passphrase is None:
                raise _NoKeyError(f"{location}: no passphrase was given", path=location)
            try:
                vault = start(sources.passphrase_argument(passphrase, "prompt"))
            except WrongKeyError:
                terminal.tell("Wrong passphrase.")
            else:
                if typed is not None:
                    typed.append(passphrase)
                return vault
    raise WrongKeyError(
        f"{location}: none of the {TRIES} passphrases opens it; nothing was changed", path=location
    )


def source_for_new_vault(path: str, *, ask: bool) -> KeySource:
    """Where the key of a vault that is to be made comes from."""
    if not ask:
        return sources.find_source()
    passphrase = new_passphrase(path)
    return sources.passphrase_argument(passphrase, "prompt")


def new_source(path: str) -> KeySource:
    """The secret that is to be: from `SESSION_VAULT_NEW_PASSPHRASE[_FILE]`, or a prompt."""
    source = sources.new_secret_source()
    return source or sources.passphrase_argument(new_passphrase(path), "prompt")


def new_passphrase(whose: str) -> str:
    """A new passphrase from the terminal, typed twice."""
    terminal = Terminal.open()
    if terminal is None:
        raise KeyRequiredError(
            f"{whose}: there is no terminal to ask for the new passphrase; set "
            "SESSION_VAULT_NEW_PASSPHRASE_FILE or SESSION_VAULT_NEW_PASSPHRASE",
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


def _is_default(source: KeySource) -> bool:
    """Whether this is the user's key file, which is tried where nothing was said."""
    return source.name.startswith("key file ")


def profile(name: str | None) -> KdfParameters | None:
    """The Argon2id settings of a name on the command line."""
    from interpal.vault.format.key_slots import KdfParameters

    if name is None:
        return None
    return {
        "default": KdfParameters.DEFAULT,
        "strong": KdfParameters.STRONG,
        "low-memory": KdfParameters.LOW_MEMORY,
    }[name]


def profile_for(source: KeySource, name: str | None) -> KdfParameters | None:
    """The same for a slot with the secret of *source*; `ValidationError` where that is a key."""
    if name is not None and source.kind == "key":
        raise ValidationError("--profile is for passphrases, not for a raw key")
    return profile(name)


def takes_passphrase(store: Store) -> bool:
    """Whether a passphrase could open what is in *store*. Raises what reading it raises."""
    slots = report.parsed(store.location, stores.load(store)).header.slots
    return any(slot.kind == "passphrase" for slot in slots)


def _explained(error: VaultError, source: KeySource, location: str, *, asks: bool) -> VaultError:
    """The error of a key, with the ways that the command line has."""
    if not asks:
        # What would do is a key, and the error says which.
        wrong = isinstance(error, WrongKeyError)
        return error if wrong else _NoKeyError(str(error), path=location)
    if isinstance(error, WrongKeyError):
        what = f"the {source.name} does not open it"
    elif source.is_missing:
        what = "no key available"
    else:
        what = f"it opens with a passphrase, but only the {source.name} is available"
    kind = WrongKeyError if isinstance(error, WrongKeyError) else _NoKeyError
    return kind(f"{location}: {what}, and there is no terminal to ask; {WOULD_DO}", path=location)


def key_from_file(path: str) -> Hidden[bytes]:
    """The raw key in a file (docs/keys.md, the rules for key files)."""
    return environment.key_in_file(Hidden(os.fsencode(path)), "key file")


def secret_from_file(path: str, kind: str) -> str | bytes:
    """The passphrase (text) or the raw key (bytes) in a file."""
    if kind == "key":
        return key_from_file(path).reveal()
    return (
        environment.passphrase_in_file(Hidden(os.fsencode(path)), "passphrase file")
        .reveal()
        .decode()
    )
