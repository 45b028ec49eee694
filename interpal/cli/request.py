"""The verb `request`: one request to the site, with the session of the vault."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from interpal.cli.clients import Place
from interpal.exceptions import ValidationError
from interpal.vault.cli import output
from interpal.vault.cli.app import cli, file_option, user_option


@cli.command("request", short_help="Send a request with the session, and print the reply.")
@click.argument("method", metavar="METHOD")
@click.argument("url_path", metavar="PATH")
@file_option
@user_option("Whose session to use, if there are several.")
@click.option("-p", "--param", "params", metavar="NAME=TEXT", multiple=True, help="In the query.")
@click.option("-d", "--data", "fields", metavar="NAME=TEXT", multiple=True, help="In the form.")
@click.option("--json-body", metavar="JSON", help="The body, as JSON; - reads it from stdin.")
def request_verb(
    method: str,
    url_path: str,
    path: str,
    user: str | None,
    params: tuple[str, ...],
    fields: tuple[str, ...],
    json_body: str | None,
) -> None:
    """Send METHOD PATH with the session, and print the reply as JSON.

    PATH is below the address of the site. A session that has ended is an error (77): this verb
    has no password. A new cookie or token that the server sends is saved.

    \b
    Example:
      interpal-vault request GET /v1/account/self
    """
    if json_body is not None and fields:
        raise ValidationError("--json-body and --data are both given; use only one of them")
    body: dict[str, Any] = {}
    if params:
        body["params"] = _pairs("--param", params)
    if fields:
        body["data"] = _pairs("--data", fields)
    if json_body is not None:
        body["json"] = _parsed(sys.stdin.read() if json_body == "-" else json_body)
    place = Place(path)
    with place.client(place.account(user)) as client:
        reply = client.request(method, url_path, **body)
    output.put_json(reply)


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValidationError(f"{option}: expected NAME=TEXT")
        if name in pairs:
            raise ValidationError(f"{option}: {name} is given twice")
        pairs[name] = value
    return pairs


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError("--json-body: not valid JSON") from None
