"""What holds for all tests."""

from __future__ import annotations

import os
import secrets
import signal


def pytest_configure() -> None:
    """Programs started by tests can be interrupted, also where the tests run in the background.

    A shell starts what runs in the background with these signals ignored, and children inherit it.
    """
    # Of every sandbox, so that programs which the tests start can use its controls.
    os.environ["INTERPALS_SANDBOX_TOKEN"] = secrets.token_urlsafe(16)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
