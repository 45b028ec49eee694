"""Secrets that programs keep with keyring, in a vault, on a machine without a desktop."""

import os
import tempfile

import keyring
from keyring.errors import KeyringError

from interpal.bridges.keyring_backend import VaultKeyring


def main(folder: str) -> None:
    os.environ.setdefault("INTERPALS_VAULT_PASSPHRASE", "an example, and no secret")
    backend = VaultKeyring()
    backend.vault = f"{folder}/secrets.json"
    keyring.set_keyring(backend)
    keyring.set_password("https://upload.pypi.org/legacy/", "ann", "correct horse")
    print("keyring says:", keyring.get_password("https://upload.pypi.org/legacy/", "ann"))
    try:
        keyring.delete_password("https://upload.pypi.org/legacy/", "bob")
    except KeyringError as error:
        print("And for bob:", error)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(folder)
