"""Whom the examples log in as: you, where you say so, else an invented person on this machine.

With INTERPALS_USERNAME and INTERPALS_PASSWORD set, an example talks to the real site and saves
its session in the working directory. Without them it talks to a sandbox, in a temporary folder
that is gone afterwards.
"""

import json
import os
import secrets
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from urllib.request import Request, urlopen

from interpal.sandbox import Sandbox

PEOPLE = {"maple_ink": "correct horse", "pedro_k": "battery staple"}


@contextmanager
def accounts() -> Generator[dict[str, str], None, None]:
    """The usernames to log in with, and their passwords."""
    username = os.environ.get("INTERPALS_USERNAME")
    if username:
        yield {username: os.environ["INTERPALS_PASSWORD"]}
        return
    # For `sandbox_says`.
    os.environ["INTERPALS_SANDBOX_TOKEN"] = secrets.token_urlsafe(16)
    with Sandbox(accounts=PEOPLE) as sandbox, tempfile.TemporaryDirectory() as folder:
        print(f"(no INTERPALS_USERNAME: a sandbox on {sandbox.base_url})")
        os.environ.update(INTERPALS_BASE_URL=sandbox.base_url, HOME=folder, XDG_CONFIG_HOME=folder)
        before = os.getcwd()
        os.chdir(folder)
        try:
            yield PEOPLE
        finally:
            os.chdir(before)


@contextmanager
def account() -> Generator[tuple[str, str], None, None]:
    """One username and its password."""
    with accounts() as people:
        yield next(iter(people.items()))


def sandbox_says(username: str, text: str) -> None:
    """Have somebody of the sandbox write to the account."""
    body = json.dumps({"username": username, "text": text}).encode()
    url = f"{os.environ['INTERPALS_BASE_URL']}/_sandbox/say"
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ['INTERPALS_SANDBOX_TOKEN']}",
    }
    urlopen(Request(url, body, headers), timeout=10).close()  # noqa: S310
