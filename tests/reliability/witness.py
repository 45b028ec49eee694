"""Canary secrets, and a witness that keeps all a flow lets out and searches it for them."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import traceback
from typing import Any

NAME = "maple_ink"
PASSWORD = "canary-password-7d1e"
WRONG = "canary-wrong-90ab"
PASSPHRASE = "canary-passphrase-52cc"
OTHER_PASSPHRASE = "canary-other-passphrase-77"
KEY = b"canary-key-of-32-bytes-exactly!!"
COOKIE = "canarycookie0000000000000000000001"
TOKEN = "canary-token-31f7"
GIVEN = (PASSWORD, WRONG, PASSPHRASE, OTHER_PASSPHRASE, KEY.decode(), COOKIE, TOKEN)


HERE = os.path.dirname(__file__)


class Witness(logging.Handler):
    """Keeps all that a flow lets out, as (where, text)."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[tuple[str, str]] = []
        self.secrets = {*GIVEN}

    def emit(self, record: logging.LogRecord) -> None:
        # The libraries' own lines are not ours to answer for, but they must not show more.
        self.hear("log", f"{record.getMessage()} {record.args!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self.hear_error(record.exc_info[1])

    def hear(self, where: str, text: str) -> None:
        self.heard.append((where, text))

    def hear_object(self, thing: object) -> None:
        self.hear("repr", f"{thing!r} {thing} {thing:}")
        try:
            self.hear("pickle", pickle.dumps(thing).decode("latin-1"))
        except (TypeError, AttributeError, pickle.PicklingError) as refusal:
            self.hear("pickle refused", str(refusal))

    def hear_file(self, path: str) -> None:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                self.hear(f"file {os.path.basename(path)}", file.read().decode("latin-1"))

    def hear_error(self, error: BaseException) -> None:
        self.hear_object(error)
        self.hear("traceback", "".join(traceback.format_exception(error)))
        seen: BaseException | None = error
        while seen is not None:  # also what a `from None` hides
            self.hear("cause", f"{seen!r} {vars(seen)!r}")
            for frame, line in traceback.walk_tb(seen.__traceback__):
                if frame.f_code.co_filename.startswith(HERE):
                    continue  # a caller knows the secrets that it hands over
                for name, value in frame.f_locals.items():
                    where = f"{frame.f_code.co_name} line {line}"
                    self.hear(f"local variable {name}, {where}", _repr(value))
            seen = seen.__cause__ or seen.__context__

    def learn(self, client: Any) -> None:
        """The secrets that the server gave out."""
        session = client.session
        if session is not None:
            self.secrets |= {session.session_cookie, session.auth_token or session.session_cookie}

    def check(self) -> int:
        """AssertionError where a secret was heard; how many texts were searched."""
        assert len(self.heard) > 3, "hardly anything was heard"
        for secret in self.secrets:
            for form in forms(secret):
                for where, text in self.heard:
                    assert form not in text, f"{secret!r} in a {where}: {around(text, form)}"
        return len(self.heard)


def forms(secret: str) -> set[str]:
    """A secret as it is and as it might be written elsewhere."""
    raw = secret.encode()
    return {
        secret,
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }


def _repr(value: object) -> str:
    """What a reporter of errors would show of a local variable."""
    try:
        return repr(value)
    except (AttributeError, RuntimeError, TypeError) as error:  # half made
        return type(error).__name__


def around(text: str, form: str) -> str:
    at = text.index(form)
    return text[max(at - 300, 0) : at + len(form) + 100]
