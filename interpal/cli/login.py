"""The verb `login`: make sure of a session, and keep it in the vault."""

from __future__ import annotations

import os

import click

from interpal._hidden import Hidden
from interpal.cli.clients import Place
from interpal.exceptions import ValidationError
from interpal.vault.cli import errors, formatting, opening, output, stores
from interpal.vault.cli.app import cli, file_option, json_option, user_option
from interpal.vault.cli.formatting import clean
from interpal.vault.cli.terminal import Terminal

PASSWORD = "INTERPALS_PASSWORD"  # noqa: S105  (the name of a variable)


@cli.command("login", short_help="Log in, and keep the session in the vault.")
@file_option
@user_option("The account; INTERPALS_USERNAME without it, or you are asked.")
@click.option(
    "--password-file", metavar="FILE", type=click.Path(), help="The password, in a private file."
)
@click.option("--force", is_flag=True, help="Log in even if the saved session is alive.")
@click.option("--passphrase", "ask", is_flag=True, help="Ask for the passphrase of a new vault.")
@json_option
def login_verb(
    path: str, user: str | None, password_file: str | None, force: bool, ask: bool, as_json: bool
) -> int:
    """Make sure that the vault has a session that is alive: log in only if it has none.

    The password comes from --password-file or INTERPALS_PASSWORD; otherwise you are asked for
    it. It is not saved. The vault is created if needed. Programs that use it find the session.

    \b
    Example:
      interpal-vault login --user maple_ink
    """
    place = Place(path)
    username = user or os.environ.get("INTERPALS_USERNAME") or _ask("Username: ")
    if stores.exists(place.store):
        with opening.open_vault(place.store, typed=place.typed):
            pass
    elif ask:
        place.ask_for_new()
    password = _password(username, password_file)
    reported: list[str] = []
    with place.client(
        username, password.reveal(), on_event=lambda event: reported.append(event.name)
    ) as client:
        session = client.login(force=force)
        if "logged_in" not in reported and not client.validate_session():
            session = client.login(force=True)
    is_new = "logged_in" in reported
    where = place.location
    if as_json:
        output.put_json(
            {
                "path": where,
                "username": session.username,
                "logged_in": is_new,
                "expires_at": None
                if session.expires_at is None
                else formatting.iso(session.expires_at),
            }
        )
        return errors.OK
    what = "logged in" if is_new else "the saved session is alive; --force logs in anyway"
    output.say(f"{where}: {clean(username)}: {what}")
    return errors.OK


def _password(username: str, file: str | None) -> Hidden[str]:
    if file is not None:
        found = opening.secret_from_file(file, "passphrase")
        return Hidden(str(found))
    value = os.environ.get(PASSWORD)
    if value is not None:
        if not value:
            raise ValidationError(f"{PASSWORD} is set but empty: give it the password, or unset it")
        return Hidden(value)
    terminal = Terminal.open()
    if terminal is None:
        raise ValidationError(
            f"there is no terminal to ask for the password of {clean(username)}: give "
            f"--password-file FILE, or set {PASSWORD}"
        )
    with terminal:
        output.make_room()
        line = terminal.ask_secret(f"Password of {clean(username)}: ")
    if not line.reveal():
        raise ValidationError("no password was given; nothing was changed")
    return Hidden(line.reveal().decode("utf-8", "replace"))


def _ask(question: str) -> str:
    terminal = Terminal.open()
    if terminal is None:
        raise ValidationError(
            "there is no terminal to ask for the username: give --user NAME, or set "
            "INTERPALS_USERNAME"
        )
    with terminal:
        answer = terminal.ask(question)
    if not answer:
        raise ValidationError("no username was given; nothing was changed")
    return answer
