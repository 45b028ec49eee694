"""The backend for keyring beside others: a secret read and saved, and a whole `keyring get`.

Each backend is used through keyring itself, at its own defaults. A machine without
gnome-keyring and dbus has no rows of the Secret Service.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.cases.passphrase import PASSPHRASE
from benchmarks.children import PYTHON, Program, Worker, environment
from benchmarks.measure import interleave
from benchmarks.peers import secret_stores, versions
from benchmarks.records import KEY
from benchmarks.result import Result, Row
from interpal.vault import KdfParameters

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from benchmarks.cases import Scale
    from benchmarks.measure import Spread

IN_A_PROCESS = 0.01
WHOLE_PROCESS = 0.1

NEEDS = ("dbus-daemon", "gnome-keyring-daemon")
OURS = ("raw key", "passphrase")
CRYPTFILE = "keyrings.cryptfile"
SECRET_SERVICE = "the Secret Service of GNOME"
NOTHING = "keyring alone, with its backend that keeps nothing"
ONE_DERIVATION = "keyring alone, and one Argon2id of the same numbers"

# What is saved differs each time: what is there already need not be written again.
ACTIONS = """
import itertools, keyring
count = itertools.count()

def read():
    assert keyring.get_password("mail", "ann")

def save():
    keyring.set_password("mail", "ann", f"battery staple {next(count)}")

save()
actions = dict(read=read, save=save)
"""

# keyrings.cryptfile takes its passphrase from a terminal only: this one types without delay.
TYPED = f"""
import getpass
getpass.getpass = lambda *_: {PASSPHRASE!r}
"""

GET = """
from keyring.cli import main
try:
    main(["get", "mail", "ann"])
except SystemExit as end:
    assert nothing_is_kept and end.code == 1
"""

DERIVE = f"""
from argon2.low_level import Type, hash_secret_raw
memory, passes, lanes = {tuple(KdfParameters.DEFAULT)!r}
hash_secret_raw(b"battery", bytes(16), passes, memory, lanes, 32, Type.ID)
"""


class Backend(NamedTuple):
    """A backend of keyring: its class, the variables that it wants, and lines before its use."""

    python: str
    name: str
    variables: Mapping[str, str] = {}
    before: str = ""

    @property
    def source(self) -> str:
        """What chooses it in a program, before keyring is imported."""
        chosen = {"PYTHON_KEYRING_BACKEND": self.name, **self.variables}
        nothing = self.name.startswith("keyring.backends.null")
        return (
            f"import os\nos.environ.update({chosen!r})\nnothing_is_kept = {nothing}\n{self.before}"
        )


def _ours(folder: Path, kind: str, secret: str) -> Backend:
    vault = str(folder / f"keyring_{kind.lower()}.json")
    return Backend(
        PYTHON,
        "interpal.bridges.keyring_backend.VaultKeyring",
        {"KEYRING_PROPERTY_VAULT": vault, f"SESSION_VAULT_{kind}": secret},
    )


def run(scale: Scale, folder: Path) -> Result:
    python = secret_stores()
    backends = {
        "raw key": _ours(folder, "KEY", KEY.hex()),
        "passphrase": _ours(folder, "PASSPHRASE", PASSPHRASE),
        CRYPTFILE: Backend(python, "keyrings.cryptfile.cryptfile.CryptFileKeyring", before=TYPED),
        "keyrings.alt, which encrypts nothing": Backend(
            python, "keyrings.alt.file.PlaintextKeyring"
        ),
    }
    with ExitStack() as stack:
        if all(map(shutil.which, NEEDS)):
            address = stack.enter_context(_secret_service(folder))
            backends[SECRET_SERVICE] = Backend(
                python,
                "keyring.backends.SecretService.Keyring",
                {"DBUS_SESSION_BUS_ADDRESS": address},
            )
        rows = _in_a_process(scale, folder, backends)
        rows += _whole_processes(scale, folder, backends)
    return Result("keyring", rows, {"peers": versions()})


def _in_a_process(scale: Scale, folder: Path, backends: dict[str, Backend]) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(folder, one.source + ACTIONS, python=one.python))
            for name, one in backends.items()
        }
        for action in ("read", "save"):
            contestants = {name: worker.contestant(action) for name, worker in workers.items()}
            found = interleave(contestants, max(1, scale.derivations // 3))
            rows += _rows("keyring, {key}: " + action + " one secret", found, IN_A_PROCESS)
    return rows


def _whole_processes(scale: Scale, folder: Path, backends: dict[str, Backend]) -> list[Row]:
    nobody = Backend(PYTHON, "keyring.backends.null.Keyring").source + GET
    programs = {
        **{
            name: Program(folder, one.source + GET, python=one.python)
            for name, one in backends.items()
        },
        NOTHING: Program(folder, nobody),
        ONE_DERIVATION: Program(folder, nobody + DERIVE),
    }
    found = interleave(
        {name: program.seconds() for name, program in programs.items()}, scale.derivations
    )
    return _rows("whole process: `keyring get`, {key}", found, WHOLE_PROCESS)


def _rows(what: str, found: dict[str, Spread], goal: float) -> list[Row]:
    """Ours with a raw key against all others; with a passphrase, against what derives a key too."""
    others = {
        "raw key": [name for name in found if name not in (*OURS, ONE_DERIVATION)],
        "passphrase": [name for name in found if name in (CRYPTFILE, ONE_DERIVATION)],
    }
    return [
        Row(
            what.format(key=key),
            other,
            found[key],
            found[other],
            at_most=goal if other == CRYPTFILE else None,
        )
        for key in OURS
        for other in others[key]
    ]


@contextmanager
def _secret_service(folder: Path) -> Generator[str, None, None]:
    """gnome-keyring on a bus of its own, unlocked: the address of the bus."""
    run_folder = folder / "run"
    run_folder.mkdir(mode=0o700)
    variables = {**environment(folder), "XDG_RUNTIME_DIR": str(run_folder)}
    bus = subprocess.Popen(
        [NEEDS[0], "--session", "--nofork", "--print-address"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert bus.stdout is not None
        address = bus.stdout.readline().strip()
        daemon = subprocess.Popen(
            [NEEDS[1], "--foreground", "--unlock", "--components=secrets"],
            env={**variables, "DBUS_SESSION_BUS_ADDRESS": address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert daemon.stdin is not None
            assert daemon.stdout is not None
            daemon.stdin.write(PASSPHRASE)
            daemon.stdin.close()
            # It prints where it listens, once it does.
            daemon.stdout.readline()
            yield address
        finally:
            daemon.terminate()
            daemon.wait()
    finally:
        bus.terminate()
        bus.wait()
