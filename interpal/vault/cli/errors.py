"""Which error ends the program with which exit code, and under which name scripts know it.

The numbers are those of sysexits.h where it has one that fits (docs/command-line.md).
"""

from __future__ import annotations

from typing import NamedTuple

import click

from interpal import exceptions as e
from interpal.vault.files.permissions import quoted
from interpal.vault.stores.file import DEFAULT_FILE, GENERAL_FILE

OK = 0
FOUND = 1
USAGE = 64
DATA = 65
NOT_FOUND = 66
SOURCE = 69
INTERNAL = 70
EXISTS = 73
IO = 74
LOCKED = 75
VERSION = 76
WRONG_KEY = 77
CONFIGURATION = 78
NOT_EXECUTABLE = 126
NO_COMMAND = 127
BROKEN_PIPE = 141
INTERRUPTED = 130

_NAMES = "interpal.vault.cli.names"


class Failure(NamedTuple):
    """An error as the command line reports it."""

    code: str
    exit_code: int
    message: str
    path: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """For programs."""
        return {"code": self.code, "message": self.message, "path": self.path}


class NotFound(e.VaultError):
    """An account, a slot or a file that was named is not there."""

    def __init__(self, code: str, message: str, *, path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.code = code


class Declined(e.InterpalException):
    """A question was answered with no."""


class Interrupted(e.InterpalException):
    """Ctrl-C came in the middle of something that can be gone on with."""


class InsecureRequest(e.VaultError):
    """What was asked for would put a secret where others can read it."""


# The more special before the more general.
_CODES: list[tuple[type[e.InterpalException], str, int]] = [
    (Declined, "declined", FOUND),
    (Interrupted, "interrupted", INTERRUPTED),
    (InsecureRequest, "insecure", CONFIGURATION),
    (e.VaultNotFoundError, "not-found", NOT_FOUND),
    (e.VaultExistsError, "exists", EXISTS),
    (e.KeyRequiredError, "key-required", CONFIGURATION),
    (e.WrongKeyError, "wrong-key", WRONG_KEY),
    (e.AmbiguousKeyError, "ambiguous-key", CONFIGURATION),
    (e.KeySourceError, "key-source", SOURCE),
    (e.VaultKeyError, "key", CONFIGURATION),
    (e.VaultVersionError, "version", VERSION),
    (e.VaultLimitError, "limit", DATA),
    (e.VaultFormatError, "format", DATA),
    (e.VaultCorruptError, "corrupt", DATA),
    (e.VaultRollbackError, "rollback", DATA),
    (e.VaultMismatchError, "another-vault", DATA),
    (e.VaultPermissionError, "permission", CONFIGURATION),
    (e.NotDurableError, "not-durable", IO),
    (e.VaultIOError, "io", IO),
    (e.LockTimeoutError, "locked", LOCKED),
    (e.StaleWriteError, "stale", LOCKED),
    (e.StoreUnavailableError, "store-unavailable", SOURCE),
    (e.AmbiguousAccountError, "ambiguous-account", CONFIGURATION),
    (e.ValidationError, "invalid", USAGE),
]


def add(*codes: tuple[type[e.InterpalException], str, int]) -> None:
    """Name errors that the verbs of others raise; those that are named already come first."""
    _CODES.extend(codes)


def failure_of(error: BaseException) -> Failure:
    """How *error* is reported. What nobody expected is `internal`, and only its kind is shown."""
    if isinstance(error, NotFound):
        return Failure(error.code, NOT_FOUND, str(error), error.path)
    for kind, code, exit_code in _CODES:
        if isinstance(error, kind):
            return Failure(code, exit_code, str(error), getattr(error, "path", None))
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Failure("interrupted", INTERRUPTED, "interrupted")
    if isinstance(error, click.ClickException):
        return Failure("usage", USAGE, error.format_message())
    if isinstance(error, OSError):
        return Failure("io", IO, f"cannot continue: {error.strerror or type(error).__name__}")
    if isinstance(error, MemoryError):
        return Failure("io", IO, "out of memory: allow the process more, and try again")
    return Failure(
        "internal",
        INTERNAL,
        # Not the text of the error: it might carry what nobody should see.
        f"an internal error ({type(error).__name__}): this is a bug. Nothing was half saved. "
        "Please report it, with the command that you ran",
    )


def note_name(location: str, text: str) -> None:
    """Remember how the person named the store at *location*."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_NAMES, {})[location] = text


def command(verb: str, location: str) -> str:
    """The command *verb* for a message, with the vault at *location* as the person named it."""
    context = click.get_current_context(silent=True)
    names = {} if context is None else context.meta.get(_NAMES, {})
    name = names.get(location, location)
    option = "" if name in (DEFAULT_FILE, GENERAL_FILE) else f" -f {quoted(name)}"
    return f"`interpal-vault {verb}{option}`"


def no_vault(path: str) -> e.VaultNotFoundError:
    """There is nothing at the path."""
    context = click.get_current_context(silent=True)
    takes_file = context is not None and "path" in context.params
    other = "name another with -f FILE" if takes_file else "check the path"
    return e.VaultNotFoundError(
        f"{path}: no vault found; create one with {command('init', path)}, or {other}",
        path=path,
    )


def no_account(name: str, path: str) -> NotFound:
    """No record of that name."""
    return NotFound(
        "no-such-account",
        f"{path}: no account {name}; {command('list', path)} shows the accounts",
        path=path,
    )


def exists(path: str) -> e.VaultExistsError:
    """Something is at the path already."""
    return e.VaultExistsError(
        f"{path}: it already exists and was left unchanged; choose another path, or move it away",
        path=path,
    )
