"""`python -m interpal.sandbox`: the sandbox as a program of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from interpal.sandbox import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: print the base URL once it answers, serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m interpal.sandbox",
        description="Serve the Interpals protocol on 127.0.0.1 with invented people.",
    )
    parser.add_argument("--port", type=int, default=0, help="port; 0, the default, picks one")
    parser.add_argument(
        "--account",
        action="append",
        metavar="NAME:PASSWORD",
        help="an account that may log in; may be repeated (default: 'maple_ink:correct horse')",
    )
    parser.add_argument(
        "--one-session", action="store_true", help="a new login ends the account's older session"
    )
    parser.add_argument(
        "--login-delay", type=float, default=0.0, metavar="SECONDS", help="time that a login takes"
    )
    chosen = parser.parse_args(arguments)
    pairs = [account.partition(":") for account in chosen.account or ()]
    if not all(name and password for name, _, password in pairs):
        parser.error("an account is NAME:PASSWORD")
    if not 0 <= chosen.port <= 65535:
        parser.error("a port is a number from 0 to 65535")
    try:
        sandbox = Sandbox(
            {name: password for name, _, password in pairs} or None,
            port=chosen.port,
            one_session=chosen.one_session,
            login_delay=chosen.login_delay,
        )
        asyncio.run(_serve_until_signal(sandbox))
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        pass
    return 0


async def _serve_until_signal(sandbox: Sandbox) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there Ctrl-C raises KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, sandbox.stop)
    await sandbox.serve(lambda: print(sandbox.base_url, flush=True))


if __name__ == "__main__":
    sys.exit(main())
