"""Every verb and every exit code, by the real program in a pipe and in a pseudo-terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import pytest

from interpal.vault.cli import errors
from interpal.vault.vault import Vault
from tests.cli import (
    COOKIE,
    EXPIRED,
    KEY,
    OTHER_KEY_TEXT,
    PASSPHRASE,
    PROGRAM,
    WITH_KEY,
    Program,
    assert_no_secret,
    environment,
    make_vault,
    read_vault,
    record,
    verbs_of_the_vault,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

V = ".interpals_session.json"
NEW = "canary matrix passphrase"
WITH_NEW = {**WITH_KEY, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
WITH_OLD = {"INTERPALS_VAULT_PASSPHRASE": PASSPHRASE, "INTERPALS_VAULT_NEW_PASSPHRASE": NEW}
LOW = "--profile low-memory"


# What is there before the program is run, and what must be true of it after.


def nothing(folder: Path) -> None:
    pass


def two(folder: Path) -> None:
    make_vault(folder / V, "maple_ink", "pedro_k")


def locked(folder: Path) -> None:
    make_vault(folder / V, "maple_ink", passphrase=PASSPHRASE)


def with_expired(folder: Path) -> None:
    two(folder)
    with Vault.open(folder / V, key=KEY) as vault:
        vault["gone"] = record("gone", expires=EXPIRED)


def with_server(folder: Path) -> None:
    two(folder)
    with Vault.open(folder / V, key=KEY) as vault:
        vault.add_slot(key=bytes(32), kid="server")


def with_plain(folder: Path) -> None:
    (folder / "ana.json").write_text(json.dumps({"session_cookie": COOKIE, "username": "ana"}))


def loose(folder: Path) -> None:
    two(folder)
    os.chmod(folder / V, 0o644)


def damaged(folder: Path) -> None:
    two(folder)
    members = json.loads((folder / V).read_bytes())
    text = members["ciphertext"]
    members["ciphertext"] = ("B" if text[0] == "A" else "A") + text[1:]
    (folder / V).write_text(json.dumps(members))


def of_tomorrow(folder: Path) -> None:
    vector = os.path.join(os.path.dirname(__file__), "..", "vectors", "version-2.json")
    with open(vector, encoding="utf-8") as file:
        (folder / V).write_text(json.load(file)["file"])


def a_file_for_a_folder(folder: Path) -> None:
    (folder / "file").write_text("x")


def patched(folder: Path, lines: str) -> None:
    """What the program runs before it begins."""
    (folder / "patch").mkdir()
    (folder / "patch" / "sitecustomize.py").write_text(lines)


def with_a_bug(folder: Path) -> None:
    two(folder)
    patched(
        folder,
        "from interpal.vault.health import report\n"
        "def account(name, record): raise ZeroDivisionError(record['session_cookie'])\n"
        "report.account = account\n",
    )


def impatient(folder: Path) -> None:
    two(folder)
    patched(
        folder,
        "from interpal.vault.vault import Vault\n"
        "Vault.__init__.__kwdefaults__['lock_timeout'] = 0.2\n",
    )


def held(folder: Path) -> AbstractContextManager[object]:
    vault = Vault.open(folder / V, key=KEY)
    return vault.transaction()


def names(*wanted: str) -> Callable[[Path], bool]:
    return lambda folder: set(read_vault(folder / V)) == set(wanted)


def slots(*wanted: str) -> Callable[[Path], bool]:
    def check(folder: Path) -> bool:
        with Vault.open(folder / V, key=KEY) as vault:
            return [slot.kid for slot in vault.slots] == list(wanted)

    return check


def is_private(name: str) -> Callable[[Path], bool]:
    return lambda folder: os.stat(folder / name).st_mode & 0o777 == 0o600


def opens_with_new(name: str) -> Callable[[Path], bool]:
    return lambda folder: "maple_ink" in read_vault(folder / name, passphrase=NEW)


class Case(NamedTuple):
    """A command line, what it finds, and how it ends."""

    arguments: str
    prepare: Callable[[Path], None]
    code: int = 0
    env: Mapping[str, str] = WITH_KEY
    shows: str = ""
    after: Callable[[Path], bool] = bool
    during: Callable[[Path], AbstractContextManager[object]] = nullcontext

    @property
    def verb(self) -> str:
        words = self.arguments.split()
        return " ".join(words[:2]) if words[0] == "slot" else words[0]


PATCHED = {**WITH_KEY, "PYTHONPATH": "patch"}

CASES = (
    # Every verb.
    Case("inspect", two, shows="pedro_k"),
    Case("init", nothing, shows="an empty vault", after=names()),
    Case("keygen -o new.key", nothing, env={}, shows="a new key", after=is_private("new.key")),
    Case("list", two, shows="maple_ink"),
    Case("remove pedro_k --yes", two, shows="removed", after=names("maple_ink")),
    Case("prune", with_expired, shows="1 expired", after=names("maple_ink", "pedro_k")),
    Case("verify", two, shows="2 accounts"),
    Case("doctor", two, shows="no problems found"),
    Case(f"passwd {LOW}", locked, env=WITH_OLD, shows="rotate", after=opens_with_new(V)),
    Case(f"slot add --kid laptop {LOW}", two, env=WITH_NEW, after=slots("slot-1", "laptop")),
    Case("slot list", with_server, env={}, shows="server"),
    Case("slot remove server --yes", with_server, shows="removed", after=slots("slot-1")),
    Case("rotate", two, shows="generation 3", after=names("maple_ink", "pedro_k")),
    Case("import ana.json", with_plain, shows="1 session encrypted", after=names("ana")),
    Case(f"export -o copy {LOW}", two, env=WITH_NEW, after=opens_with_new("copy")),
    Case("exec --user pedro_k -- sh -c pwd", two, shows="/"),
    Case("copy .interpals_session.json sqlite:team.db", two, shows="2 sessions copied"),
    Case("benchmark", nothing, env={}, shows="low-memory"),
    # Every exit code that is not 0.
    Case("doctor", loose, 1, shows="chmod"),
    Case("list --nonsense", two, 64, shows="--nonsense"),
    Case("verify", damaged, 65, shows="FAILED"),
    Case("list -f absent.json", two, 66, shows="absent.json"),
    Case("list", two, 69, {"INTERPALS_VAULT_KEY": ""}, "INTERPALS_VAULT_KEY"),
    Case("list", with_a_bug, 70, PATCHED, "ZeroDivisionError"),
    Case("init", two, 73, shows="already exists", after=names("maple_ink", "pedro_k")),
    Case("init -f file/v.json", a_file_for_a_folder, 74, shows="file"),
    Case("prune", impatient, 75, PATCHED, "lock", during=held),
    Case("inspect", of_tomorrow, 76, shows="version"),
    Case("list", two, 77, {"INTERPALS_VAULT_KEY": OTHER_KEY_TEXT}),
    Case("list", two, 78, {**WITH_KEY, "INTERPALS_VAULT_PASSPHRASE": "x"}, "INTERPALS_VAULT_KEY"),
    Case("exec --user pedro_k -- ./patch", with_a_bug, 126, shows="it cannot be run"),
    Case("exec --user pedro_k -- ./absent", two, 127, shows="command not found"),
)


@pytest.mark.parametrize("place", ["pipe", "terminal"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.verb} {case.code}")
def test_the_verb_ends_as_it_should(case: Case, place: str, run: Program, tmp_path: Path) -> None:
    case.prepare(tmp_path)
    with case.during(tmp_path):
        if place == "pipe":
            done = run(*case.arguments.split(), env=case.env)
            code, shown = done.code, done.out + done.err
        else:
            with run.terminal(*case.arguments.split(), env=case.env, columns=200) as terminal:
                code, shown = terminal.end(), terminal.screen
    assert code == case.code, shown
    assert case.shows in shown
    assert_no_secret(shown)
    assert NEW not in shown
    assert case.after(tmp_path)


ENDLESS = {"INTERPALS_VAULT_PASSPHRASE_COMMAND": "sh -c 'touch started; exec sleep 60'"}


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_on_a_terminal_exits_130(run: Program, tmp_path: Path) -> None:
    locked(tmp_path)
    with run.terminal("list", env=ENDLESS) as terminal:
        wait_for(tmp_path / "started")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "interrupted" in terminal.screen


def test_an_interrupt_in_a_pipe_exits_130(run: Program, tmp_path: Path) -> None:
    locked(tmp_path)
    with subprocess.Popen(
        [*PROGRAM, "list"],
        cwd=tmp_path,
        env=environment(tmp_path, ENDLESS),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        wait_for(tmp_path / "started")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert b"interrupted" in err


def test_the_table_has_every_verb_and_every_exit_code() -> None:
    assert {case.verb for case in CASES if case.code == 0} == verbs_of_the_vault()
    codes = {code for name, code in vars(errors).items() if name.isupper() and type(code) is int}
    assert {case.code for case in CASES} | {errors.INTERRUPTED, errors.BROKEN_PIPE} == codes
