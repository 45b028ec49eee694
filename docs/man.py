"""Write the manual page of `interpal-vault` from its own options: `python -m docs.man`.

`docs/interpal-vault.1` is in the format of man(7). The wheel puts it where `man` looks for it in a
virtual environment that is active: `share/man/man1`.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interpal._version import __version__
from interpal.vault.cli.app import cli
from interpal.vault.cli.output import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

# Adds the verbs of the client.
import_module("interpal.cli")

PAGE = Path(__file__).parent / f"{PROGRAM}.1"


def escaped(text: str) -> str:
    """Text as roff shows it unchanged: hyphens that can be copied, no accidental request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; one after a line with \\b keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        lines = paragraph.strip("\n").splitlines()
        if lines[0].strip() == "\b":
            yield ".PP"
            yield ".nf"
            yield from (escaped(line.rstrip()) for line in lines[1:])
            yield ".fi"
        else:
            yield ".PP"
            yield escaped(" ".join(line.strip() for line in lines))


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """The options of a command, each with its help."""
    for parameter in command.get_params(context):
        # Newer versions of click have a record of an argument too; the usage shows it.
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield ".TP"
            yield f"\\fB{escaped(record[0])}\\fR"
            yield escaped(record[1])


def verbs(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[str]:
    """The verbs of a group, those of the groups in it too, each with its usage and options."""
    for name, command in sorted(group.commands.items()):
        path = (*before, name)
        if isinstance(command, click.Group):
            yield from verbs(command, path)
            continue
        context = click.Context(command, info_name=" ".join((PROGRAM, *path)))
        usage = command.collect_usage_pieces(context)
        yield f".SS {' '.join(path)}"
        yield f"\\fB{escaped(' '.join((PROGRAM, *path)))}\\fR {escaped(' '.join(usage))}"
        yield from paragraphs(_clean(command.help or ""))
        yield from options(command, context)


def _clean(text: str) -> str:
    return re.sub(r"(?m)^ {4}", "", text)


def page() -> str:
    """The manual page."""
    context = click.Context(cli, info_name=PROGRAM)
    first, _, rest = (cli.help or "").partition("\n\n")
    lines = [
        f'.TH "{PROGRAM.upper()}" 1 "" "{PROGRAM} {__version__}" "User Commands"',
        ".SH NAME",
        f"{escaped(PROGRAM)} \\- {escaped(first[0].lower() + first[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{escaped(PROGRAM)}\\fR VERB [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        *list(paragraphs(rest))[1:],
        ".SH OPTIONS",
        *options(cli, context),
        ".SH VERBS",
        *verbs(cli),
        ".SH EXIT STATUS AND COMPLETION",
        *paragraphs(cli.epilog or ""),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
