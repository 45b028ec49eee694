"""The situations of docs/troubleshooting.md, brought about for real: each gives what is printed.

Every function gets a place of its own and returns the message as somebody sees it. Paths of the
test are shown as those of the page, see `Scene.shown`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from interpal import InterpalClient
from interpal.exceptions import InterpalException
from interpal.sandbox import Sandbox
from interpal.vault import KdfParameters, Vault
from tests.certificates import make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

KEY = bytes(32)
PROGRAM = [sys.executable, "-m", "interpal.vault"]
USER, PASSWORD = "maple_ink", "correct horse"
CHEAP = KdfParameters.INSECURE_FOR_TESTS


class Scene:
    """A folder, a home, and a site."""

    def __init__(self, folder: Path, site: Sandbox) -> None:
        self.folder = folder / "bot"
        self.home = folder / "home"
        self.folder.mkdir(mode=0o700)
        self.home.mkdir(mode=0o700)
        self.site = site
        self.path = self.folder / "session.json"

    def shown(self, text: str) -> str:
        """*text* with the paths, the address and the numbers that the page has."""
        text = text.replace(str(self.folder), "/srv/bot").replace(str(self.home), "/home/maple")
        return text.replace(self.site.base_url, "https://api.interpals.net")

    def start(self, **settings: Any) -> str:
        """What a script of the user ends in: the error, as a traceback ends."""
        given: dict[str, Any] = {
            "auto_login": True,
            "persist_session": True,
            "session_file": self.path,
            "base_url": self.site.base_url,
            "timeout": 5,
            **settings,
        }
        try:
            with InterpalClient(USER, PASSWORD, **given) as client:
                client.get_self()
        except InterpalException as error:
            return f"{type(error).__name__}: {error}"
        raise AssertionError("nothing went wrong")

    def save(self, **opening: Any) -> None:
        """A vault of this place, as a run of the script leaves it."""
        given = opening or {"vault_key": KEY}
        InterpalClient(
            USER,
            PASSWORD,
            auto_login=True,
            persist_session=True,
            session_file=self.path,
            base_url=self.site.base_url,
            **given,
        ).close()

    def run(self, *arguments: str, **environ: str) -> str:
        """What the command line prints on stderr, without a terminal."""
        clean = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("INTERPALS_", "SESSION_VAULT_"))
        }
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env={**clean, "HOME": str(self.home), **environ},
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        return done.stderr.strip()


@contextmanager
def mounted(*arguments: str) -> Generator[None, None, None]:
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", arguments[-1]], check=True)


@contextmanager
def environment(**values: str) -> Generator[None, None, None]:
    old = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Last(logging.Handler):
    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = f"{record.levelname} {record.name}: {record.getMessage()}"


@contextmanager
def last_warning() -> Generator[_Last, None, None]:
    handler = _Last(logging.WARNING)
    logging.getLogger("interpal").addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger("interpal").removeHandler(handler)


# It logs in every time.


def persist_session_left_out(scene: Scene) -> str:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        InterpalClient(
            USER, session_file=scene.path, base_url=scene.site.base_url, auto_login=False
        ).close()
    return f"{seen[0].category.__name__}: {seen[0].message}"


def not_saved(scene: Scene) -> str:
    with mounted("-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(scene.folder)):
        scene.save()
        with open(scene.folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 1024)
            except OSError:
                pass
        scene.site.invalidate()
        with last_warning() as seen:
            scene.save()
        return seen.text


def refused_password(scene: Scene) -> str:
    try:
        InterpalClient(USER, "wrong", auto_login=True, base_url=scene.site.base_url).close()
    except InterpalException as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("nothing went wrong")


# Permission.


def folder_open_to_all(scene: Scene) -> str:
    scene.folder.chmod(0o777)
    return scene.start(vault_key=KEY)


def folder_of_another(scene: Scene) -> str:
    os.chown(scene.folder, 1001, 1001)
    return scene.start(vault_key=KEY)


def vault_of_another(scene: Scene) -> str:
    scene.save()
    os.chown(scene.path, 1001, 1001)
    return scene.start(vault_key=KEY)


def key_file_open_to_others(scene: Scene) -> str:
    key = scene.folder / "team.key"
    key.write_text("A" * 43 + "\n")
    key.chmod(0o666)
    with environment(INTERPALS_VAULT_KEY_FILE=str(key)):
        return scene.start()


# Docker and other containers.


def mounted_file(scene: Scene) -> str:
    scene.path.touch(mode=0o600)
    outside = scene.home / "outside"
    outside.touch(mode=0o600)
    with mounted("--bind", str(outside), str(scene.path)):
        return scene.start(vault_key=KEY)


def read_only(scene: Scene) -> str:
    with mounted("--bind", "-o", "ro", str(scene.folder), str(scene.folder)):
        return scene.start(vault_key=KEY)


def key_lost(scene: Scene) -> str:
    scene.save()
    with environment(HOME=str(scene.home), XDG_CONFIG_HOME=""):
        return scene.start()


def key_of_another_machine(scene: Scene) -> str:
    scene.save()
    with environment(HOME=str(scene.home), XDG_CONFIG_HOME=""):
        Vault.open(scene.home / "other.json", create=True).close()
        return scene.start()


def no_home(scene: Scene) -> str:
    with environment(HOME="/", XDG_CONFIG_HOME=""):
        return scene.start()


# Keys and passphrases.


def quotes_around_the_passphrase(scene: Scene) -> str:
    Vault.open(scene.path, passphrase="correct horse", create=True, kdf=CHEAP).close()
    with environment(INTERPALS_VAULT_PASSPHRASE='"correct horse"'):
        return scene.start()


def more_than_one_line(scene: Scene) -> str:
    file = scene.folder / "passphrase"
    file.write_text("correct horse\nlogin: maple\n")
    file.chmod(0o600)
    with environment(INTERPALS_VAULT_PASSPHRASE_FILE=str(file)):
        return scene.start()


def no_shell(scene: Scene) -> str:
    with environment(INTERPALS_VAULT_PASSPHRASE_COMMAND="echo $VAULT_PASSPHRASE"):
        return scene.start()


def no_program(scene: Scene) -> str:
    with environment(INTERPALS_VAULT_PASSPHRASE_COMMAND="gopass show bots/vault"):
        return scene.start()


def two_sources(scene: Scene) -> str:
    with environment(INTERPALS_VAULT_PASSPHRASE="x", INTERPALS_VAULT_KEY="y"):
        return scene.start()


def url_in_quotes(scene: Scene) -> str:
    return scene.start(session_file=None, store='"redis://localhost"', vault_key=KEY)


# Proxies and certificates.

ELSEWHERE = "https://site.invalid"


def _elsewhere(scene: Scene) -> str:
    said = scene.start(base_url=ELSEWHERE, vault_key=KEY)
    return said.replace(ELSEWHERE, "https://api.interpals.net")


def no_proxy_there(scene: Scene) -> str:
    with environment(HTTPS_PROXY="http://127.0.0.1:9"):
        return _elsewhere(scene)


def proxy_in_quotes(scene: Scene) -> str:
    with environment(HTTPS_PROXY='"http://proxy.example:3128"'):
        return _elsewhere(scene)


def certificate_of_the_network(scene: Scene) -> str:
    with Sandbox(tls=make_certificate(scene.home, "localhost")) as site:
        said = scene.start(base_url=site.base_url, vault_key=KEY)
    said = said.replace(site.base_url, "https://api.interpals.net")
    return said.replace("self signed", "self-signed")  # as OpenSSL 1.1 has it


# The command line.


def no_vault(scene: Scene) -> str:
    return scene.run("list", "-f", str(scene.path))


def plain_file_of_1_x(scene: Scene) -> str:
    scene.path.write_text("{}")
    scene.path.chmod(0o600)
    return scene.run("list", "-f", str(scene.path))


def too_large(scene: Scene) -> str:
    scene.path.touch(mode=0o600)
    os.truncate(scene.path, 64 * 2**20 + 1)
    return scene.run("list", "-f", str(scene.path))


def nobody_to_ask(scene: Scene) -> str:
    Vault.open(scene.path, passphrase="correct horse", create=True, kdf=CHEAP).close()
    return scene.run("list", "-f", str(scene.path))


SCENES: dict[str, Callable[[Scene], str]] = {
    scene.__name__: scene
    for scene in (
        persist_session_left_out,
        not_saved,
        refused_password,
        folder_open_to_all,
        folder_of_another,
        vault_of_another,
        key_file_open_to_others,
        mounted_file,
        read_only,
        key_lost,
        key_of_another_machine,
        no_home,
        quotes_around_the_passphrase,
        more_than_one_line,
        no_shell,
        no_program,
        two_sources,
        url_in_quotes,
        no_proxy_there,
        proxy_in_quotes,
        certificate_of_the_network,
        no_vault,
        too_large,
        plain_file_of_1_x,
        nobody_to_ask,
    )
}
