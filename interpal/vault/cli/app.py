"""The program itself: its group of verbs, the options that they share, and how it ends."""

from __future__ import annotations

import logging
import os
import re
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.shell_completion import (
    CompletionItem,
    FishComplete,
    add_completion_class,
    shell_complete,
)

from interpal._version import __version__
from interpal.exceptions import ValidationError
from interpal.vault.cli import completion, coredump, errors, output, stores
from interpal.vault.cli.stores import DEFAULT_PLACE
from interpal.vault.files.permissions import quoted
from interpal.vault.format.header import MAX_FILE_BYTES
from interpal.vault.stores.values import check_max_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

_COMPLETE = "_INTERPAL_VAULT_COMPLETE"

HELP = f"""Manage sessions in an encrypted vault: create it, inspect it, and manage its keys.

-f FILE names the vault: a path, or a URL (sqlite:PATH, redis://HOST). Without it,
the vault is {DEFAULT_PLACE}.

Its key comes from one of SESSION_VAULT_PASSPHRASE, ..._PASSPHRASE_FILE,
..._PASSPHRASE_COMMAND, SESSION_VAULT_KEY, ..._KEY_FILE, ..._KEYRING, the same with
INTERPALS_VAULT_... or a systemd credential; without them, from your key file;
otherwise you are asked for the passphrase. Secrets are never given as arguments.

\b
First steps:
  interpal-vault init                     create a vault for your key file
  interpal-vault init --passphrase        the same, with a passphrase
  interpal-vault import old_session.json  encrypt a plain file of interpal 1.x
  interpal-vault inspect                  show its accounts and their expiry
  interpal-vault doctor                   find security problems
  interpal-vault benchmark                what a passphrase costs here

\b
Keys:
  interpal-vault passwd                   change the passphrase
  interpal-vault slot add --kid laptop    add another passphrase
  interpal-vault rotate                   a new vault key, after a revocation

\b
Back up and restore:
  interpal-vault export -o backup.json    write an encrypted copy
  interpal-vault verify backup.json       check that it can be read
  interpal-vault import backup.json       restore its accounts
  interpal-vault copy team.json sqlite:team.db    move into another store

`interpal-vault VERB --help` shows more, with an example.
"""

EPILOG = """\b
Exit codes: 0 ok, 1 doctor found a problem or a question was answered no,
64 usage, 65 damaged or not a vault, 66 not found, 69 key source
unavailable, 70 internal, 73 exists, 74 I/O, 75 locked, 76 other version,
77 wrong key, 78 no key, or ambiguous or insecure configuration,
130 interrupted, 141 nobody reads the output any more (as `| head`).

\b
Completion: eval "$(_INTERPAL_VAULT_COMPLETE=bash_source interpal-vault)"
in ~/.bashrc (zsh: zsh_source; fish: fish_source).
"""


# What people type for a verb of another name.
_OTHER_NAMES = {
    "rm": "remove", "delete": "remove", "del": "remove", "logout": "remove", "ls": "list",
    "show": "inspect", "info": "inspect", "status": "inspect", "check": "doctor", "new": "init",
    "create": "init", "cp": "copy", "mv": "copy", "backup": "export", "restore": "import",
    "run": "exec", "password": "passwd", "passphrase": "passwd", "clean": "prune",
}  # fmt: skip


# What a word may be that stands where no argument is expected, by the parameter of its option.
_MEANT = {"path": "the vault", "target": "the file to write", "user": "the account",
          "kid": "the slot"}  # fmt: skip


class _Verb(click.Command):
    """A verb, with a reply to an argument too many."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, and name the options that take what no argument takes."""
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            options = [
                f"`{option.opts[0]} {quoted(extra[0])}` ({_MEANT[option.name]})"
                for option in self.params
                if isinstance(option, click.Option) and option.name in _MEANT
            ]
            meant = " or ".join(filter(None, (", ".join(options[:-1]), *options[-1:])))
            hint = f" Did you mean {meant}?" if meant else ""
            ctx.fail(f"Got unexpected extra argument {extra[0]!r}.{hint}")
        return extra


class _Verbs(click.Group):
    """The verbs, with a reply to what is none of them."""

    command_class = _Verb
    group_class = type  # click's word for the same class: `slot`

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, and say where -f belongs."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in ("-f", "--file"):
                raise
            ctx.fail(f"-f comes after the verb: `{ctx.command_path} VERB -f FILE`")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that was typed. `help VERB` is `VERB --help`."""
        if args and args[0] == "help" and self.get_command(ctx, "help") is None:
            named = [arg for arg in args[1:2] if self.get_command(ctx, arg) is not None]
            if not named:
                click.echo(ctx.get_help())
                ctx.exit()
            args = [named[0], "--help"]
        meant = _OTHER_NAMES.get(args[0]) if args else None
        if meant in self.commands and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, message="interpal-vault %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Show the help where no verb is given."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_SIZE = r"(\d{1,12})(?:([KMG])(i?B)?)?"
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3}


def _note_max_size(context: click.Context, _parameter: click.Parameter, text: str | None) -> None:
    """Take the bytes of `128M`, `128MiB` or `134217728`, and of `128MB`, which are fewer.

    K, M and G, and those with iB, are powers of 1,024, those with B of 1,000: as of GNU programs.
    """
    if text is None:
        stores.set_max_size(context, None)
        return
    found = re.fullmatch(_SIZE, text, re.IGNORECASE)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a size such as 128M")
    try:
        base = 1000 if (found[3] or "").upper() == "B" else 1024
        size = check_max_size(int(found[1]) * base ** _POWERS[(found[2] or "").upper()])
    except ValidationError:
        raise click.BadParameter(f"{text!r} is not from 1 to {MAX_FILE_BYTES >> 20}M") from None
    stores.set_max_size(context, size)


def max_size_option(function: F) -> F:
    """`--max-size SIZE`: how large a vault may be."""
    return click.option(
        "--max-size",
        metavar="SIZE",
        expose_value=False,
        callback=_note_max_size,
        help="The largest vault to read or write: 64M if not given, at most 256M. M and MiB are "
        "1,048,576 bytes, MB is a million bytes.",
    )(function)


def _file_option(choose: Callable[..., str | None] | None) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        return click.option(
            "-f",
            "--file",
            "path",
            metavar="FILE",
            show_default=DEFAULT_PLACE,
            type=click.Path(readable=False),
            callback=choose,
            help="The vault: a path, sqlite:PATH or redis://HOST, or @FILE with the URL in it.",
        )(max_size_option(function))

    return decorate


def _named_or_default(
    context: click.Context, _parameter: click.Parameter, path: str | None
) -> str | None:
    # A shell that completes is shown no errors.
    return path if path is not None or context.resilient_parsing else stores.default_place()


file_option = _file_option(_named_or_default)
"""`-f FILE`: the vault, else the default one; and `--max-size SIZE`."""

optional_file_option = _file_option(None)
"""The same, and None where it is not given: for a verb that also takes FILE as an argument."""


def user_option(help_text: str) -> Callable[[F], F]:
    """`--user NAME`: the account; its name is completed where that needs no question."""

    def decorate(function: F) -> F:
        return click.option(
            "--user", metavar="NAME", help=help_text, shell_complete=completion.accounts
        )(function)

    return decorate


def target_option(function: F) -> F:
    """`-o FILE`: where to write."""
    return click.option(
        "-o",
        "--output",
        "target",
        metavar="FILE",
        type=click.Path(readable=False),
        help="Write it here.",
    )(function)


def json_option(function: F) -> F:
    """`--json`: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")(function)


def yes_option(function: F) -> F:
    """`--yes`: answer the questions."""
    return click.option("-y", "--yes", is_flag=True, help="Answer every question with yes.")(
        function
    )


def profile_option(function: F) -> F:
    """`--profile`: how dear Argon2id is to be."""
    return click.option(
        "--profile",
        type=click.Choice(["default", "strong", "low-memory"]),
        help="Argon2id: default 64 MiB, strong 256 MiB (3 passes), low-memory 19 MiB (2 passes).",
    )(function)


def main() -> NoReturn:
    """Run the program on `sys.argv` and end the process."""
    coredump.forbid()
    _attach()
    sys.exit(run(sys.argv[1:]))


def _attach() -> None:
    """Put something in the place of standard streams that are closed.

    Else the next file that is opened would get the number of one of them, and what is printed
    would go into it. What is printed to a closed stdout is an error, as on a full disk.
    """
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, flags)
            setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w"))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    as_json = "--json" in _before_dashes(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = _Warnings(as_json=as_json)
    log = logging.getLogger("interpal")
    log.addHandler(handler)
    try:
        return _invoke(arguments, as_json=as_json)
    finally:
        log.removeHandler(handler)


def _invoke(arguments: Sequence[str], *, as_json: bool) -> int:
    # Not `cli.main`: it has its own exit codes for a closed pipe and for Ctrl-C.
    completion = os.environ.get(_COMPLETE)
    error: BaseException
    try:
        if completion:
            return shell_complete(cli, {}, output.PROGRAM, _COMPLETE, completion)
        with cli.make_context(output.PROGRAM, list(arguments)) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt as reason:
        if sys.stderr.isatty():
            output.say("")  # what comes next begins after ^C, on a line of its own
        error = reason
    except Exception as reason:  # noqa: BLE001  (the outermost edge: a person gets a sentence)
        error = reason
    else:
        return result if isinstance(result, int) else errors.OK
    failure = errors.failure_of(error)
    try:
        output.fail(failure, as_json=as_json)
    except OSError:
        _unread()
    if isinstance(error, OSError):
        _unread()
    return failure.exit_code


def _unread() -> int:
    """Nobody takes the output any more; what is in the buffers must not raise again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return errors.BROKEN_PIPE


def _before_dashes(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


class _Fish(FishComplete):
    """fish takes what comes after a comma for another field, so descriptions have none."""

    def format_completion(self, item: CompletionItem) -> str:
        """One line for fish."""
        if item.help:
            item.help = item.help.replace(", ", "; ").replace(",", ";")
        return super().format_completion(item)


add_completion_class(_Fish)


class _Warnings(logging.Handler):
    """Shows what the library warns of."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(logging.WARNING)
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        output.warn(record.getMessage(), as_json=self._as_json)
