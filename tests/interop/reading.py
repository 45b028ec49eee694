"""The libraries read what this package has written."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from argon2.low_level import Type, hash_secret_raw

from interpal.vault import KdfParameters, Vault
from tests.interop import jose
from tests.interop.libraries import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.interop.libraries import Library

KEY = bytes(range(32))
PASSPHRASE = "Zaz\u0307o\u0301łć gęślą"  # in NFD
RECORDS: dict[str, dict[str, Any]] = {
    "maple_ink": {"session_cookie": "7f3k", "auth_token": None, "n": 1.5},
    "zażółć@example.org": {"cookies": {"a": "b"}, "deep": [{"x": [1, 2]}]},
    "full": {"note": "ż" * 30_000},
}
FEW = {name: RECORDS[name] for name in ("maple_ink", "zażółć@example.org")}
BIG = {f"account-{number}": {"note": "x" * 60_000} for number in range(52)}
SALT_CHARACTERS = 22  # 16 bytes in base64url
ATTEMPTS = {"maple_ink": {"until": 2**37, "count": 3, "kind": "rate-limit", "forget_at": 2**37}}

Reads = dict[str, "Callable[[str, bytes], str]"]


class Vaults(NamedTuple):
    """What was written: the texts of files, and a database."""

    by_key: str
    by_passphrase: str
    two_slots: str
    big: str
    database: Path


def write(folder: Path) -> Vaults:
    """One vault of each kind."""

    def file(name: str, records: dict[str, Any], **secret: Any) -> Path:
        path = folder / name
        with Vault.open(path, create=True, **secret) as vault:
            with vault.transaction() as draft:
                draft.update(records)
                draft.attempts.update(ATTEMPTS)
            if name == "two.json":
                vault.add_slot(key=KEY, kid="second")
        return path

    cheap = {"passphrase": PASSPHRASE, "kdf": KdfParameters.LOW_MEMORY}
    database = folder / "fleet.db"
    with Vault.open(f"sqlite:{database}", create=True, key=KEY) as vault:
        vault.update(RECORDS)
    return Vaults(
        by_key=file("key.json", FEW, key=KEY).read_text(),
        by_passphrase=file("passphrase.json", FEW, **cheap).read_text(),
        two_slots=file("two.json", FEW, **cheap).read_text(),
        big=file("big.json", BIG, key=KEY).read_text(),
        database=database,
    )


def cell(ways: Reads, opening: Callable[[Callable[[str, bytes], str]], object]) -> str:
    """The first of the *ways* by which the *opening* succeeds, 'no' where none does."""
    for name, way in ways.items():
        try:
            opening(way)
        except Refused:
            continue
        return name
    return "no"


def row(library: Library, vaults: Vaults) -> list[str]:
    """The cells of one library. Raises AssertionError where something else is read than stored."""

    def asking(do: str, *, join: bool) -> Callable[[str, bytes], str]:
        def read(text: str, key: bytes) -> str:
            if join and text.startswith("{"):
                text = jose.joined(text)
            answer: str = library.ask(do, text=text, key=key)
            return answer

        return read

    slots: Reads = {"yes": asking("as_it_is", join=False), "set": asking("open_jwe", join=False)}
    files: Reads = {
        "yes": asking("as_it_is", join=False),
        "joined": asking("as_it_is", join=True),
        "joined, set": asking("open_jwe", join=True),
    }
    recipe = files["joined, set"]

    def content(file: str, expected: dict[str, Any], key: bytes) -> Callable[..., object]:
        vault_key = vault_key_of(file, 0, key, recipe)

        def opening(read: Callable[[str, bytes], str]) -> None:
            assert payload_of(read(file, vault_key)) == (expected, ATTEMPTS)

        return opening

    def two_slots(read: Callable[[str, bytes], str]) -> None:
        for number, key in enumerate((derived(vaults.two_slots, 0), KEY)):
            vault_key = vault_key_of(vaults.two_slots, number, key, read)
            assert payload_of(read(vaults.two_slots, vault_key)) == (FEW, ATTEMPTS)

    by_key = content(vaults.by_key, FEW, KEY)
    cells = [
        cell(slots, lambda read: vault_key_of(vaults.by_key, 0, KEY, read)),
        cell(
            slots,
            lambda read: vault_key_of(
                vaults.by_passphrase, 0, derived(vaults.by_passphrase, 0), read
            ),
        ),
        cell(files, by_key),
        cell(files, two_slots),
        cell(files, content(vaults.big, BIG, KEY)),
        cell(files, lambda read: records_of(vaults.database, read)),
    ]
    check_refusals(vaults.by_key, recipe)
    check_recipe(library, vaults)
    return cells


def vault_key_of(file: str, slot: int, key: bytes, read: Callable[[str, bytes], str]) -> bytes:
    """The vault key in a slot, checked against the commitment."""
    vault = jose.header_of(jose.joined(file))["vault"]
    jwk = json.loads(read(vault["slots"][slot], key))
    assert jwk.keys() == {"kty", "alg", "k"}
    vault_key = jose.decode(jwk["k"])
    expected = jose.tag_of(vault_key, "commitment", jose.decode(vault["id"]))
    assert expected == jose.decode(vault["commitment"])
    return vault_key


def derived(file: str, slot: int) -> bytes:
    """The key behind the passphrase: no library under test has Argon2id."""
    kdf = jose.header_of(jose.header_of(jose.joined(file))["vault"]["slots"][slot])["kdf"]
    return hash_secret_raw(
        "Zażółć gęślą".encode(),
        jose.decode(kdf["salt"]),
        time_cost=kdf["t"],
        memory_cost=kdf["m"],
        parallelism=kdf["p"],
        hash_len=32,
        type=Type.ID,
        version=kdf["v"],
    )


def payload_of(text: str) -> tuple[Any, Any]:
    """Records and refused logins."""
    payload = json.loads(text)
    return payload.pop("records"), payload.pop("attempts", {})


def records_of(database: Path, read: Callable[[str, bytes], str]) -> None:
    """Read the root and every record of a database, and compare them with RECORDS."""
    link = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        ((vault_id, root),) = link.execute("SELECT vault_id, data FROM root WHERE name = 'root'")
        rows = link.execute("SELECT tag, data FROM records WHERE vault_id = ?", (vault_id,))
        sealed = dict(rows.fetchall())
    finally:
        link.close()
    vault_key = vault_key_of(root.decode(), 0, KEY, read)
    assert payload_of(read(root.decode(), vault_key)) == ({}, {})
    found: dict[str, Any] = {}
    for tag, data in sealed.items():
        records, _ = payload_of(read(data.decode(), vault_key))
        ((name, record),) = records.items()
        assert jose.tag_of(vault_key, "name", name.encode()) == tag
        found[name] = record
    assert found == RECORDS


def check_refusals(file: str, read: Callable[[str, bytes], str]) -> None:
    """Another key opens nothing, and a changed header or content is refused."""
    vault_key = vault_key_of(file, 0, KEY, read)
    parts = jose.joined(file).split(".")
    header = jose.decode(parts[0]).decode()
    changed = [header.replace('"generation":2', '"generation":3'), header + " "]
    assert header not in changed
    texts = [".".join((jose.encode(text.encode()), *parts[1:])) for text in changed]
    texts += [".".join((*parts[:4], ("B" if parts[4][0] == "A" else "A") + parts[4][1:]))]
    for text, key in (*((text, vault_key) for text in texts), (".".join(parts), KEY)):
        try:
            read(text, key)
        except Refused:
            continue
        raise AssertionError("a changed vault was opened")


def check_recipe(library: Library, vaults: Vaults) -> None:
    """What the page shows for a library opens a vault from its text to its records."""
    if library.module == "debian_jose.py":
        return  # The commands are in docs/format.md, which is run as it stands.
    expected = {"records": FEW, "attempts": ATTEMPTS}

    def check(payload: dict[str, Any]) -> None:
        assert len(payload.pop("salt")) == SALT_CHARACTERS
        assert payload == expected

    for text, slot in ((vaults.by_key, 0), (vaults.two_slots, 1)):
        check(library.ask("vault", text=text, slot=slot, key=KEY))
    check(library.ask("vault", text=vaults.by_passphrase, slot=0, passphrase=PASSPHRASE))
