"""Asks the keyring of the operating system, which may wait for a person whom nobody can reach.

Backends come from anywhere, so each error of theirs, whatever it is, becomes one of ours that
names only its kind, since its text may contain a secret.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal._log import Logger
from interpal.exceptions import KeySourceError

NOTICE_SECONDS = 5.0
ALONE_SECONDS = 30.0
"""How long a keyring is waited for where nobody sees what it asks."""

_LOOK_EVERY = 0.05

_log = Logger("interpal.vault.keys.system_keyring")


class _Question(threading.Thread):
    """The question, in a thread of its own: it cannot be taken back, only left alone."""

    def __init__(self, service: str, username: str) -> None:
        super().__init__(name="interpal-keyring", daemon=True)
        self._entry = service, username
        self.fault: str | None = None
        self.password: Hidden[object] = Hidden(None)

    def run(self) -> None:
        try:
            # The package is an extra.
            keyring = import_module("keyring")
            self.password = Hidden(keyring.get_password(*self._entry))
        except ImportError as error:
            missing = error.name == "keyring"
            self.fault = "is not installed" if missing else f"cannot be loaded ({error.name})"
        except Exception as error:  # noqa: BLE001  (a backend is any program of anybody)
            self.fault = type(error).__name__


def password_of(service: str, username: str, name: str) -> Hidden[bytes]:
    """The password of an entry, as UTF-8. *name* is the setting, for messages.

    A notice is logged after 5 seconds. Raises `KeySourceError`: after 30 seconds too, where there
    is neither a terminal nor a display for a keyring to ask at.
    """
    question = _Question(service, username)
    question.start()
    began, noticed = monotonic(), False
    while question.is_alive():
        question.join(_LOOK_EVERY)
        waited = monotonic() - began
        if waited > NOTICE_SECONDS and not noticed and question.is_alive():
            noticed = True
            _log.warning(
                "%s: waiting for the keyring: it may be locked, and ask for its password in a "
                "window or at a terminal",
                name,
            )
        if waited > ALONE_SECONDS and question.is_alive() and not _somebody_is_there():
            raise KeySourceError(
                f"{name}: the keyring did not answer within {ALONE_SECONDS:g} seconds, and there "
                "is neither a terminal nor a display where it could ask; unlock it first, or use "
                "SESSION_VAULT_KEY_FILE"
            )
    if question.fault == "is not installed":
        raise KeySourceError(
            f"{name}: the keyring package is not installed: pip install 'interpal-vault[keyring]'"
        )
    if question.fault == "NoKeyringError":
        raise KeySourceError(
            f"{name}: there is no keyring here (no desktop, or no package with one); use "
            "SESSION_VAULT_KEY_FILE"
        )
    if question.fault is not None:
        raise KeySourceError(
            f"{name}: the keyring returned nothing ({question.fault}); unlock it, or run "
            "`keyring diagnose`"
        )
    password = question.password
    if password.reveal() is None:
        raise KeySourceError(
            f"{name}: the keyring has no such entry; add it with `keyring set SERVICE USERNAME`"
        )
    if not isinstance(password.reveal(), str):
        raise KeySourceError(f"{name}: the keyring returned something that is not text")
    return Hidden(str(password.reveal()).encode("utf-8", "surrogatepass"))


def _somebody_is_there() -> bool:
    """Whether a person can be asked: at a terminal, or in a window."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
