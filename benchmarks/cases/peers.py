"""Other places to keep a secret in: keyrings.cryptfile and KeePass, at their own defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases.passphrase import PASSPHRASE
from benchmarks.children import Worker
from benchmarks.measure import interleave, timed
from benchmarks.peers import secret_stores, versions
from benchmarks.records import ACCOUNT, change, fill, record
from benchmarks.result import Result, Row
from interpal.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

CRYPTFILE = f"""
import json, os
from keyrings.cryptfile.cryptfile import CryptFileKeyring
content = json.dumps({record()!r})

def keyring():
    kr = CryptFileKeyring()
    kr.file_path = os.path.abspath("cryptfile.cfg")
    kr.keyring_key = {PASSPHRASE!r}
    return kr

kept = keyring()
kept.set_password("interpals", {ACCOUNT!r}, content)

def read():
    assert keyring().get_password("interpals", {ACCOUNT!r})

def save():
    keyring().set_password("interpals", {ACCOUNT!r}, content)

def read_again():
    assert kept.get_password("interpals", {ACCOUNT!r})

def save_again():
    kept.set_password("interpals", {ACCOUNT!r}, content)

actions = dict(read=read, save=save, read_again=read_again, save_again=save_again)
"""

KEEPASS = f"""
import json, os
from pykeepass import PyKeePass, create_database
content = json.dumps({record()!r})
kept = create_database("secrets.kdbx", password={PASSPHRASE!r})
kept.add_entry(kept.root_group, {ACCOUNT!r}, {ACCOUNT!r}, content)
kept.save()

def opened():
    return PyKeePass("secrets.kdbx", password={PASSPHRASE!r})

def read():
    assert opened().find_entries(title={ACCOUNT!r}, first=True).password

def change(store):
    store.find_entries(title={ACCOUNT!r}, first=True).password = content
    store.save()

def read_again():
    assert kept.find_entries(title={ACCOUNT!r}, first=True).password

actions = dict(read=read, save=lambda: change(opened()), read_again=read_again,
               save_again=lambda: change(kept))
"""


def run(scale: Scale, folder: Path) -> Result:
    path = folder / "peers_session.json"
    kept = Vault.open(path, passphrase=PASSPHRASE, create=True)
    fill(kept, 1)

    def read() -> None:
        with Vault.open(path, passphrase=PASSPHRASE) as vault:
            vault[ACCOUNT]

    def save() -> None:
        with Vault.open(path, passphrase=PASSPHRASE) as vault:
            change(vault, ACCOUNT)

    ours = {
        "read": timed(read),
        "save": timed(save),
        "read_again": timed(lambda: kept[ACCOUNT]),
        "save_again": timed(lambda: change(kept, ACCOUNT)),
    }
    what = {
        "read": "passphrase: open and read one secret",
        "save": "passphrase: open and save one secret",
        "read_again": "passphrase, open already: read one secret",
        "save_again": "passphrase, open already: save one secret",
    }
    rows: list[Row] = []
    python = secret_stores()
    with (
        Worker(folder, CRYPTFILE, python=python) as cryptfile,
        Worker(folder, KEEPASS, python=python) as keepass,
    ):
        for action, mine in ours.items():
            found = interleave(
                {
                    "ours": mine,
                    "cryptfile": cryptfile.contestant(action),
                    "keepass": keepass.contestant(action),
                },
                max(1, scale.derivations // 3),
            )
            rows += [
                Row(what[action], "keyrings.cryptfile", found["ours"], found["cryptfile"]),
                Row(what[action], "pykeepass", found["ours"], found["keepass"]),
            ]
    kept.close()
    return Result("peers", rows, {"peers": versions()})
