"""`python -m interpal.sandbox`: the sandbox as a program of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sys

from interpal.sandbox import TOKEN_VARIABLE, Sandbox

ACCOUNTS_VARIABLE = "INTERPALS_SANDBOX_ACCOUNTS"


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
        help="an account that may log in; may be repeated (default: 'maple_ink:correct horse' and "
        "'pedro_k:battery staple')",
    )
    parser.add_argument(
        "--accounts",
        metavar="FILE",
        help="a file with NAME:PASSWORD in each line; '-' reads standard input. Unlike --account, "
        f"it shows no password to other users of the machine. Or set {ACCOUNTS_VARIABLE} to such "
        "lines",
    )
    parser.add_argument(
        "--one-session", action="store_true", help="a new login ends the account's older session"
    )
    parser.add_argument(
        "--login-delay", type=float, default=0.0, metavar="SECONDS", help="time that a login takes"
    )
    chosen = parser.parse_args(arguments)
    try:
        accounts = _accounts(chosen.account or [], chosen.accounts)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {chosen.accounts}: {error.strerror}\n")
    except ValueError:
        parser.error("an account is NAME:PASSWORD")
    if not 0 <= chosen.port <= 65535:
        parser.error("a port is a number from 0 to 65535")
    try:
        sandbox = Sandbox(
            accounts or None,
            port=chosen.port,
            one_session=chosen.one_session,
            login_delay=chosen.login_delay,
        )
        asyncio.run(_serve_until_signal(sandbox))
    except (OSError, ValueError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = f"port {chosen.port} is in use; choose another with --port" if in_use else error
        parser.exit(1, f"{parser.prog}: {reason}\n")
    except KeyboardInterrupt:
        pass
    return 0


def _accounts(given: list[str], path: str | None) -> dict[str, str]:
    """Those of the arguments, of the file and of the environment. ValueError for what is none."""
    lines = list(given)
    if path == "-":
        lines += sys.stdin.read().splitlines()
    elif path is not None:
        with open(path, encoding="utf-8") as file:
            lines += file.read().splitlines()
    lines += os.environ.get(ACCOUNTS_VARIABLE, "").splitlines()
    pairs = [line.partition(":") for line in lines if line.strip()]
    if not all(name and password for name, _, password in pairs):
        raise ValueError
    return {name: password for name, _, password in pairs}


async def _serve_until_signal(sandbox: Sandbox) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there Ctrl-C raises KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, sandbox.stop)

    def say() -> None:
        print(sandbox.base_url, flush=True)
        if TOKEN_VARIABLE not in os.environ:
            print(f"control token: {sandbox.control_token}", file=sys.stderr, flush=True)

    await sandbox.serve(say)


if __name__ == "__main__":
    sys.exit(main())
