"""What `make demo` shows: one login, saved encrypted, resumed by the next process.

It starts a sandbox as a process of its own, works in a temporary folder, and checks whatever it
says: the exit code is not 0 if any of it is not so.
"""

import base64
import json
import os
import re
import secrets
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from interpal.vault import Vault

USERNAME = "maple_ink"
TOKEN = secrets.token_urlsafe(16)
CONTROL = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "correct horse"

SCRIPT = f"""\
from interpal import InterpalClient

client = InterpalClient(
    username="{USERNAME}", password="{PASSWORD}",
    auto_login=True, persist_session=True,
)
print("Hello,", client.get_self()["name"])
print("Session ends in", client.get_session_info()["time_remaining"])
"""


@contextmanager
def sandbox() -> Generator[str, None, None]:
    """The sandbox as a process; its base URL."""
    command = [sys.executable, "-m", "interpal.sandbox"]
    environment = {
        **os.environ,
        "INTERPALS_SANDBOX_ACCOUNTS": f"{USERNAME}:{PASSWORD}",
        "INTERPALS_SANDBOX_TOKEN": TOKEN,
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            base_url = next(iter(process.stdout or []), "").strip()
            check("the sandbox starts", base_url.startswith("http://127.0.0.1:"))
            yield base_url
        finally:
            process.terminate()


def check(promise: str, kept: bool) -> None:
    """End the demo where something is not as it was said."""
    if not kept:
        sys.exit(f"NOT SO: {promise}")


def run(shown: str, *arguments: str) -> str:
    """Run Python as a new process, show the command and what it prints."""
    print(f"$ {shown}")
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    print(done.stdout, end="")
    check(f"`{shown}` succeeds\n{done.stderr}", done.returncode == 0)
    return done.stdout


def show_logins(base_url: str, expected: int) -> None:
    """What the server counted."""
    stats = requests.get(f"{base_url}/_sandbox/stats", headers=CONTROL, timeout=10).json()
    logins = stats["logins"].get(USERNAME, 0)
    print(f"  -> the server has seen {logins} login{'s' * (logins != 1)}\n")
    check(f"there were {expected} logins by now", logins == expected)


def forms(secret: str) -> set[bytes]:
    """The secret as it might lie in a file: raw, UTF-16, hex, base64 at each of three offsets."""
    raws = {secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be")}
    found = set(raws) | {raw.hex().encode() for raw in raws}
    for raw in raws:
        for offset in range(3):
            # The characters at either end also depend on the bytes beside the secret.
            encoded = base64.b64encode(bytes(offset) + raw).rstrip(b"=")
            inner = encoded[(offset * 8 + 5) // 6 :][: len(raw) * 8 // 6 - 1]
            found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def layers(data: bytes) -> Iterator[bytes]:
    """A vault's bytes, and what is behind each base64 text in it, as far down as that goes."""
    yield data
    for encoded in re.findall(rb"[A-Za-z0-9_-]{16,}", data):
        if len(encoded) % 4 != 1:
            decoded = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
            yield from layers(decoded)


def show_file(path: Path) -> None:
    """Nothing of the account can be read in the file, and no one else can read the file."""
    with Vault.open(path) as vault:
        record = vault[USERNAME]
    data = path.read_bytes()
    mode = stat.S_IMODE(path.stat().st_mode)
    check("it is one JSON object", isinstance(json.loads(data), dict))
    check(f"its mode is 0600 and not {mode:04o}", mode == 0o600)
    secrets = {
        "cookie": record["session_cookie"],
        "token": record["auth_token"],
        "username": USERNAME,
        "password": PASSWORD,
    }
    everything = list(layers(data))
    for name, secret in secrets.items():
        for form in forms(secret):
            check(f"the {name} is not in it", all(form not in layer for layer in everything))
    print(f"{path.name}: {len(data)} bytes, mode {mode:04o}.")
    print(f"Searched in clear, base64, hex and UTF-16: no {', no '.join(secrets)} in it.\n")


def show_inspect() -> None:
    """What the command line shows of the vault, with its key."""
    printed = run("python -m interpal.vault inspect", "-m", "interpal.vault", "inspect")
    check("inspect shows the account", USERNAME in printed)
    print()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sandbox() as base_url:
        for name in list(os.environ):
            if name.startswith("INTERPALS_"):
                del os.environ[name]
        os.environ.update(
            INTERPALS_BASE_URL=base_url,
            HOME=folder,
            XDG_CONFIG_HOME=f"{folder}/.config",
            COLUMNS="80",
        )
        os.chdir(folder)
        Path("bot.py").write_text(SCRIPT)
        print(f"A sandbox of the site answers on {base_url}. This is bot.py:\n")
        print(textwrap.indent(SCRIPT, "    "))

        run("python bot.py", "bot.py")
        show_logins(base_url, 1)
        run("python bot.py      # a new process: it resumes", "bot.py")
        show_logins(base_url, 1)

        show_file(Path(".interpals_session.json"))
        show_inspect()

        print("Now the server ends the session.")
        url = f"{base_url}/_sandbox/invalidate"
        requests.post(url, json={}, headers=CONTROL, timeout=10).raise_for_status()
        run("python bot.py      # it finds out, and logs in again", "bot.py")
        show_logins(base_url, 2)
        run("python bot.py      # and from here on, every process resumes", "bot.py")
        show_logins(base_url, 2)
        os.chdir("/")


if __name__ == "__main__":
    main()
