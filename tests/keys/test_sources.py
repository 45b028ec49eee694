"""Where a key comes from: exactly one source, named in every error and never shown."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import types
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient
from interpal._hidden import Hidden
from interpal.exceptions import (
    AmbiguousKeyError,
    KeyRequiredError,
    KeySourceError,
    ValidationError,
    VaultError,
    VaultIOError,
    VaultPermissionError,
    WrongKeyError,
)
from interpal.vault import Vault
from interpal.vault.keys import environment, system_keyring
from interpal.vault.keys import sources as keys
from interpal.vault.keys.encoding import parse_key, without_newline
from tests.files import STRANGER, in_child
from tests.vault import CHEAP, KEY, OTHER_KEY, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interpal.sandbox import Sandbox
    from interpal.vault.keys.sources import KeySource

AWKWARD = bytes([0xFB, 0xEF, 0xBE] * 10 + [0xFF, 0x0A])
"""A key whose base64 has `+` and `/`, and whose last byte is a newline."""


def private(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


# Each source, set to something that gives the passphrase "correct horse" or KEY.


def set_variable(name: str, value: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda _folder, patch: patch.setenv(name, value)


def set_file(name: str, content: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def prepare(folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.setenv(name, str(private(folder / name, content)))

    return prepare


def set_credential(name: str, content: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def prepare(folder: Path, patch: pytest.MonkeyPatch) -> None:
        private(folder / name, content)
        patch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    return prepare


V = "INTERPALS_VAULT_"
SOURCES = {
    f"{V}PASSPHRASE": set_variable(f"{V}PASSPHRASE", "correct horse"),
    f"{V}PASSPHRASE_FILE": set_file(f"{V}PASSPHRASE_FILE", "correct horse\n"),
    f"{V}PASSPHRASE_COMMAND": set_variable(f"{V}PASSPHRASE_COMMAND", "echo 'correct horse'"),
    f"{V}KEY": set_variable(f"{V}KEY", KEY.hex()),
    f"{V}KEY_FILE": set_file(f"{V}KEY_FILE", b64encode(KEY).decode() + "\n"),
    "systemd credential interpals-vault-passphrase": set_credential(
        "interpals-vault-passphrase", "correct horse\r\n"
    ),
    "systemd credential interpals-vault-key": set_credential("interpals-vault-key", KEY.hex()),
}


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_opens_the_vault_and_is_named(
    name: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault.open(path, passphrase="correct horse", create=True, kdf=CHEAP)
    vault.add_slot(key=KEY)
    vault["a"] = {"n": 1}
    SOURCES[name](tmp_path, monkeypatch)
    opened = Vault.open(path)
    assert opened["a"] == {"n": 1}
    assert opened.key_source == name
    assert name in repr(keys.find_source())


@pytest.mark.parametrize("name", SOURCES)
def test_an_argument_wins_and_no_variable_is_looked_at(
    name: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for prepare in SOURCES.values():
        prepare(tmp_path, monkeypatch)
    vault = Vault.open(path, key=OTHER_KEY, create=True)
    assert vault.key_source == "argument"


@pytest.mark.parametrize("one", SOURCES)
@pytest.mark.parametrize("other", SOURCES)
def test_two_sources_are_an_error_that_names_both_and_shows_neither(
    one: str, other: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if one == other:
        return
    SOURCES[one](tmp_path, monkeypatch)
    SOURCES[other](tmp_path, monkeypatch)
    with pytest.raises(AmbiguousKeyError) as caught:
        Vault.open(path, create=True)
    assert one in str(caught.value)
    assert other in str(caught.value)
    assert caught.value.path == str(path)
    for secret in ("correct horse", KEY.hex(), b64encode(KEY).decode()):
        assert secret not in told(caught.value)
    assert not path.exists()
    assert len(environment.sources_set()) == 2


@pytest.mark.parametrize("source", environment.SOURCES, ids=lambda source: source.name)
def test_each_source_has_a_name_that_says_nothing_of_interpals(
    source: environment.Source, tmp_path: Path
) -> None:
    own, general = source.name, environment.general_name(source.name)
    assert general.upper().replace("-", "_").startswith("SESSION_VAULT_")
    if source.find is environment._variable:
        for name in (own, general):
            assert [one.name for one in environment.sources_set({name: "x"})] == [name]
        assert len(environment.sources_set({own: "x", general: "x"})) == 1
        differing = environment.sources_set({own: "x", general: "y"})
        assert [one.name for one in differing] == [own, general]
        return
    (tmp_path / general).write_text("x")
    found = environment.sources_set({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert [one.name for one in found] == [f"systemd credential {general}"]


def test_both_names_open_the_vault_where_they_say_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.open(path, key=KEY, create=True).close()
    monkeypatch.setenv("SESSION_VAULT_KEY", KEY.hex())
    assert Vault.open(path).key_source == "SESSION_VAULT_KEY"
    monkeypatch.setenv("INTERPALS_VAULT_KEY", KEY.hex())
    Vault.open(path).close()
    monkeypatch.setenv("INTERPALS_VAULT_KEY", OTHER_KEY.hex())
    with pytest.raises(AmbiguousKeyError, match="INTERPALS_VAULT_KEY and SESSION_VAULT_KEY"):
        Vault.open(path)


def test_a_command_for_the_passphrase_gets_neither_family(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERPALS_OTHER", "x")
    command = "sh -c 'env | grep -c -e SESSION_VAULT -e INTERPALS; true'"
    monkeypatch.setenv("SESSION_VAULT_PASSPHRASE_COMMAND", command)
    Vault.open(path, create=True, kdf=CHEAP).close()
    Vault.open(path, passphrase="0").close()


@pytest.mark.parametrize("source", environment.SOURCES[:6], ids=lambda source: source.name)
def test_set_but_empty_is_an_error_and_never_unset(
    source: environment.Source, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(source.name, "")
    with pytest.raises(KeySourceError, match=f"{source.name} is set but empty") as caught:
        Vault.open(path, create=True)
    assert caught.value.path == str(path)
    assert not path.exists()
    assert not os.path.exists(keys.default_key_path())
    monkeypatch.setenv(f"{V}KEY" if source.kind == "passphrase" else f"{V}PASSPHRASE", "x")
    with pytest.raises(AmbiguousKeyError):
        Vault.open(path, create=True)


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b" secret \n", b" secret "),
        (b"x" * 4096 + b"\r\n", b"x" * 4096),
        ("cafe\u0301\n".encode(), "caf\u00e9".encode()),
    ],
)
def test_one_newline_is_taken_from_files_and_commands_and_nothing_else(
    content: bytes, passphrase: bytes, tmp_path: Path
) -> None:
    file = private(tmp_path / "passphrase", content)
    for environ in (
        {f"{V}PASSPHRASE_FILE": str(file)},
        {f"{V}PASSPHRASE_COMMAND": f"cat {file}"},
    ):
        assert keys.find_source(environ=environ).read().reveal() == passphrase


def test_a_variable_is_taken_as_it_stands() -> None:
    environ = {f"{V}PASSPHRASE": " secret "}
    assert keys.find_source(environ=environ).read().reveal() == b" secret "
    assert without_newline(Hidden(b"\n")).reveal() == b""


BAD_PASSPHRASES = {
    "empty": b"",
    "only a newline": b"\n",
    "not UTF-8": b"c4n4ry\xff\n",
    "a surrogate": b"c4n4ry\xed\xa0\x80",
    "5000 bytes": b"c4n4ry" + b"x" * 5000,
}


@pytest.mark.parametrize("content", BAD_PASSPHRASES.values(), ids=BAD_PASSPHRASES.keys())
def test_what_is_no_passphrase_is_named_by_its_source_and_not_shown(
    content: bytes, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = private(tmp_path / "passphrase", content)
    sources = {f"{V}PASSPHRASE_FILE": str(file), f"{V}PASSPHRASE_COMMAND": f"cat {file}"}
    if content:
        sources[f"{V}PASSPHRASE"] = os.fsdecode(content.rstrip(b"\n"))
    for name, value in sources.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(KeySourceError, match=name) as caught:
                Vault.open(path, create=True)
        assert "c4n4ry" not in told(caught.value)
    assert not path.exists()


def forms(key: bytes) -> dict[str, str]:
    return {
        "hex": key.hex(),
        "HEX": key.hex().upper(),
        "base64": b64encode(key).decode(),
        "base64 bare": b64encode(key).decode().rstrip("="),
        "base64url": urlsafe_b64encode(key).decode(),
        "base64url bare": urlsafe_b64encode(key).decode().rstrip("="),
        "blanks around": f"  {key.hex()}\r\n",
    }


@pytest.mark.parametrize("key", [KEY, AWKWARD, bytes(32), b"\xff" * 32])
def test_a_key_is_read_in_every_form(key: bytes, tmp_path: Path) -> None:
    for text in forms(key).values():
        assert parse_key(text, "x").reveal() == key
        assert keys.find_source(key=text, environ={}).read().reveal() == key
        assert keys.find_source(environ={f"{V}KEY": text}).read().reveal() == key
        file = private(tmp_path / "key", text)
        assert keys.find_source(environ={f"{V}KEY_FILE": str(file)}).read().reveal() == key
    raw = private(tmp_path / "key", key)
    assert keys.find_source(environ={f"{V}KEY_FILE": str(raw)}).read().reveal() == key
    assert keys.find_source(key=bytearray(key)).read().reveal() == key  # type: ignore[arg-type]


BAD_KEYS = {
    "blank": "  \n",
    "31 bytes": KEY[:31].hex(),
    "31 bytes base64": b64encode(KEY[:31]).decode(),
    "33 bytes base64": b64encode(KEY + b"x").decode(),
    "hex with spaces": KEY.hex(" "),
    "hex with a blank inside": KEY.hex()[:30] + "  " + KEY.hex()[32:],
    "hex with a letter": "g" + KEY.hex()[1:],
    "two lines": KEY.hex()[:32] + "\n" + KEY.hex()[32:],
    "bits left over": b64encode(KEY).decode()[:-2] + "9=",
    "padded twice": b64encode(KEY).decode() + "=",
    "both alphabets": "-+" + b64encode(KEY).decode()[2:],
    "not ASCII": "é" + KEY.hex()[1:],
    "full-width digits": "\uff10" * 64,
    "a surrogate": "\udcff" + KEY.hex()[1:],
    "32 characters": "0123456789abcdef" * 2,
    "a prefix": "0x" + KEY.hex(),
}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_what_is_no_key_is_named_by_its_source_and_not_shown(text: str, tmp_path: Path) -> None:
    tries: list[Callable[[], object]] = [
        lambda: keys.find_source(key=text),
        lambda: keys.find_source(environ={f"{V}KEY": text}).read(),
    ]
    if len(text) != 32:  # as a file, that is the key itself
        file = private(tmp_path / "key", os.fsencode(text))
        tries.append(lambda: keys.find_source(environ={f"{V}KEY_FILE": str(file)}).read())
    for attempt, name in zip(tries, ("key argument", f"{V}KEY", f"{V}KEY_FILE"), strict=False):
        with pytest.raises(KeySourceError, match=name) as caught:
            attempt()
        if text.strip():
            assert text not in told(caught.value)
            assert repr(text)[1:-1] not in told(caught.value)


BAD_FILES: dict[str, Any] = {
    "missing": (lambda file: None, KeySourceError),
    "empty": (lambda file: private(file, b""), KeySourceError),
    "huge": (lambda file: private(file, b"x" * 2**20), KeySourceError),
    "folder": (lambda file: file.mkdir(), KeySourceError),
    "FIFO": (lambda file: os.mkfifo(file, 0o600), KeySourceError),
    "open to others": (lambda file: private(file, KEY).chmod(0o666), VaultPermissionError),
    "dangling link": (lambda file: file.symlink_to("nowhere"), KeySourceError),
}


@pytest.mark.parametrize(("make", "error"), BAD_FILES.values(), ids=BAD_FILES.keys())
@pytest.mark.parametrize("kind", ["PASSPHRASE_FILE", "KEY_FILE"])
def test_a_file_that_gives_no_secret_is_named_with_its_variable(
    kind: str, make: Any, error: type[VaultError], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    make(file)
    with pytest.raises(error) as caught:
        keys.find_source(environ={f"{V}{kind}": str(file)}).read()
    assert f"{V}{kind}" in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_linked_secret_of_a_container_is_read(tmp_path: Path) -> None:
    private(tmp_path / "data", "correct horse\n")
    (tmp_path / "link").symlink_to("data")
    environ = {f"{V}PASSPHRASE_FILE": str(tmp_path / "link")}
    assert keys.find_source(environ=environ).read().reveal() == b"correct horse"


def test_credentials_that_were_not_given_are_not_sources(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.sources_set() == []
    private(credentials / "another-credential", "x")
    assert environment.sources_set() == []
    for folder in ("", str(tmp_path / "missing")):
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
        assert environment.sources_set() == []


def test_an_empty_credential_is_an_error(credentials: Path, path: Path) -> None:
    private(credentials / "interpals-vault-passphrase", "\n")
    with pytest.raises(KeySourceError, match="systemd credential interpals-vault-passphrase"):
        Vault.open(path, create=True)
    assert not path.exists()


def test_a_new_passphrase_has_sources_of_its_own(tmp_path: Path) -> None:
    file = private(tmp_path / "new", "battery staple\n")
    assert keys.new_secret_source({}) is None
    assert keys.new_secret_source({f"{V}PASSPHRASE": "x"}) is None
    for environ in (
        {f"{V}NEW_PASSPHRASE": "battery staple"},
        {f"{V}NEW_PASSPHRASE_FILE": str(file), f"{V}PASSPHRASE": "x"},
    ):
        source = keys.new_secret_source(environ)
        assert source is not None
        assert source.kind == "passphrase"
        assert source.read().reveal() == b"battery staple"
        assert source.name.startswith(f"{V}NEW_PASSPHRASE")
    both = {f"{V}NEW_PASSPHRASE": "x", f"{V}NEW_PASSPHRASE_FILE": str(file)}
    with pytest.raises(AmbiguousKeyError, match="NEW_PASSPHRASE_FILE"):
        keys.new_secret_source(both)
    empty = keys.new_secret_source({f"{V}NEW_PASSPHRASE": ""})
    assert empty is not None
    with pytest.raises(KeySourceError, match="set but empty"):
        empty.read()


def test_a_secret_is_read_when_it_is_needed(tmp_path: Path) -> None:
    source = keys.find_source(environ={f"{V}PASSPHRASE_FILE": str(tmp_path / "later")})
    private(tmp_path / "later", "correct horse")
    assert source.read().reveal() == b"correct horse"
    asked = source.asked_once()
    (tmp_path / "later").unlink()
    assert asked.read().reveal() == b"correct horse"
    assert asked.name == source.name


def test_a_passphrase_argument_is_judged_at_once() -> None:
    with pytest.raises(ValidationError):
        keys.find_source(passphrase="")
    with pytest.raises(ValidationError, match="give one of them"):
        keys.explicit_source()


# The key file of the user.


def test_the_key_file_is_one_private_line_of_base64url() -> None:
    source = keys.find_source(environ={})
    with pytest.raises(KeyRequiredError):
        source.read()
    key = source.read_for_new_vault()
    with open(keys.default_key_path(), encoding="ascii") as file:
        text = file.read()
    assert text == urlsafe_b64encode(key.reveal()).decode().rstrip("=") + "\n"
    assert os.stat(keys.default_key_path()).st_mode & 0o777 == 0o600
    assert source.read().reveal() == key.reveal() == source.read_for_new_vault().reveal()


def test_a_damaged_key_file_is_an_error_and_stays(path: Path) -> None:
    file = keys.default_key_path()
    os.makedirs(os.path.dirname(file), mode=0o700)
    for content in (b"", b"no key\n"):
        with open(file, "wb") as damaged:
            damaged.write(content)
        os.chmod(file, 0o600)
        with pytest.raises(KeySourceError, match=r"vault\.key"):
            Vault.open(path, create=True)
        with open(file, "rb") as damaged:
            assert damaged.read() == content
    assert not path.exists()


def test_without_a_home_no_key_file_is_made_in_the_working_directory(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "default_key_path", lambda: "~/.config/interpal/vault.key")
    with pytest.raises(KeySourceError, match="HOME") as caught:
        Vault.open(path, create=True)
    assert caught.value.path == str(path)
    assert os.listdir(tmp_path) == []


NOT_IN_PASSWD = 4999


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder to which every user comes."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize("home", ["", "/", "here", None])
def test_a_home_that_cannot_be_used_is_told_and_nothing_is_made(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    path = open_folder / "own" / "v.json"
    path.parent.mkdir(mode=0o700)
    # Of a user in passwd, the home would be known from there.
    os.chown(path.parent, NOT_IN_PASSWD, NOT_IN_PASSWD)
    monkeypatch.chdir(open_folder)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)

    def make() -> object:
        return Vault.open(path, create=True)

    told = in_child(make, uid=NOT_IN_PASSWD)
    assert told.startswith("KeySourceError"), told
    why = {None: "not set", "": "empty", "/": "/", "here": "not an absolute path"}[home]
    assert f"there is no place for the user's key file: HOME is {why}; set HOME" in told
    assert os.listdir(open_folder) == ["own"]
    assert os.listdir(path.parent) == []


def test_a_home_without_an_answer_is_told_as_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions of platformdirs ask `Path.home`, which raises `RuntimeError`."""

    def no_home(*_: object, **__: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_config_dir", no_home)
    with pytest.raises(KeySourceError, match="set HOME"):
        Vault.open(path, create=True)
    Vault.open(path, key=bytes(32), create=True).close()


@pytest.mark.parametrize("what", ["closed", "another's", "a file"])
def test_a_home_where_no_key_file_can_be_made_is_told_before_a_login(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, site: Sandbox, what: str
) -> None:
    home, bot = open_folder / "home", open_folder / "bot"
    for folder in (home, bot):
        folder.mkdir()
    os.chown(bot, STRANGER, STRANGER)
    if what == "closed":
        home.chmod(0o700)
    elif what == "another's":
        os.chown(home, 1002, 1002)
        home.chmod(0o777)
    else:
        home.rmdir()
        home.write_text("")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))

    def start() -> object:
        return InterpalClient(
            "maple_ink",
            "secret",
            auto_login=True,
            persist_session=True,
            session_file=bot / "session.json",
            base_url=site.base_url,
        )

    told = in_child(start, uid=STRANGER)
    assert told.startswith("KeySourceError"), told
    assert "XDG_CONFIG_HOME" in told
    assert site.stats()["login_attempts"] == {}
    assert what == "a file" or not list(home.iterdir())


def test_a_working_directory_that_is_gone_is_told_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for start in (
        lambda: Vault.open("v.json", key=bytes(32), create=True),
        lambda: InterpalClient("m", "p", persist_session=True),
    ):
        with pytest.raises(VaultIOError, match="working directory"):
            start()


# The keyring of the operating system.

BACKEND = """
import sys, types
keyring, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
class KeyringError(Exception): pass
errors.KeyringError = KeyringError
entries = {("https://a/b", "me"): "correct horse", ("empty", "me"): "", ("odd", "me"): "\\ud800"}
def get_password(service, username):
    if service == "locked":
        raise KeyringError("c4n4ry")
    return entries.get((service, username))
keyring.get_password, keyring.errors = get_password, errors
sys.modules["keyring"], sys.modules["keyring.errors"] = keyring, errors
"""


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring in place of the optional package, which need not be installed."""
    for name in ("keyring", "keyring.errors"):
        monkeypatch.setitem(sys.modules, name, sys)
    exec(BACKEND, {})  # puts its own in their place; monkeypatch takes them away again


@pytest.mark.usefixtures("keyring")
def test_the_keyring_gives_a_passphrase() -> None:
    environ = {f"{V}KEYRING": "https://a/b/me"}
    source = keys.find_source(environ=environ)
    assert (source.kind, source.name) == ("passphrase", f"{V}KEYRING")
    assert source.read().reveal() == b"correct horse"


@pytest.mark.usefixtures("keyring")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nobody/me", "no such entry"),
        ("empty/me", "empty"),
        ("odd/me", "UTF-8"),
        ("locked/me", "keyring returned nothing"),
        ("no-slash", "service/username"),
        ("/me", "service/username"),
        ("service/", "service/username"),
    ],
)
def test_a_keyring_that_gives_nothing_says_why(value: str, reason: str) -> None:
    with pytest.raises(KeySourceError, match=reason) as caught:
        keys.find_source(environ={f"{V}KEYRING": value}).read()
    assert f"{V}KEYRING" in str(caught.value)
    assert "c4n4ry" not in str(caught.value)


def with_backend(monkeypatch: pytest.MonkeyPatch, get_password: Callable[..., object]) -> KeySource:
    module = types.ModuleType("keyring")
    module.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    return keys.find_source(environ={f"{V}KEYRING": "service/me"})


@pytest.mark.parametrize(
    "error", [ValueError("c4n4ry"), OSError(2, "c4n4ry"), KeyError("c4n4ry"), RuntimeError()]
)
def test_any_error_of_a_backend_is_told_as_ours(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(service: str, username: str) -> str:
        raise error

    kind = type(error).__name__
    with pytest.raises(KeySourceError, match=rf"returned nothing \({kind}\)") as caught:
        with_backend(monkeypatch, fail).read()
    assert "c4n4ry" not in str(caught.value)


def test_where_there_is_no_keyring_at_all_it_is_not_to_be_unlocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class NoKeyringError(RuntimeError):
        """As `keyring.errors` has it."""

    def fail(service: str, username: str) -> str:
        raise NoKeyringError("c4n4ry")

    with pytest.raises(KeySourceError, match=r"there is no keyring here.*KEY_FILE") as caught:
        with_backend(monkeypatch, fail).read()
    assert "c4n4ry" not in str(caught.value)
    assert "unlock" not in str(caught.value)


def test_a_backend_that_returns_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeySourceError, match="not text"):
        with_backend(monkeypatch, lambda *entry: b"c4n4ry").read()


def test_a_keyring_that_waits_gets_a_notice_and_its_answer_counts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked, noticed = threading.Event(), threading.Event()
    monkeypatch.setattr(system_keyring, "NOTICE_SECONDS", 0.0)

    def wait(service: str, username: str) -> str:
        asked.set()
        assert noticed.wait(30)
        return "correct horse"

    class Notices(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            noticed.set()

    handler = Notices()
    logging.getLogger("interpal").addHandler(handler)
    try:
        assert with_backend(monkeypatch, wait).read().reveal() == b"correct horse"
    finally:
        logging.getLogger("interpal").removeHandler(handler)
    assert asked.is_set()
    assert f"{V}KEYRING: waiting for the keyring" in caplog.text


def test_a_keyring_that_waits_where_nobody_is_does_not_wait_for_ever(path: Path) -> None:
    """In a session of its own, without a terminal and a display, as under cron and systemd."""
    code = """
import sys, threading, types
from interpal.vault.keys import system_keyring
system_keyring.ALONE_SECONDS = 0.5
module = types.ModuleType("keyring")
module.get_password = lambda *entry: threading.Event().wait()
sys.modules["keyring"] = module
from interpal.exceptions import KeySourceError
from interpal.vault import Vault
try:
    Vault.open(sys.argv[1], create=True)
except KeySourceError as error:
    print(error)
"""
    environ = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**environ, f"{V}KEYRING": "service/me"},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "did not answer within 0.5 seconds" in done.stdout
    assert "neither a terminal nor a display" in done.stdout
    assert not path.exists()


def test_the_waits_for_a_keyring_are_those_of_the_documentation() -> None:
    assert (system_keyring.NOTICE_SECONDS, system_keyring.ALONE_SECONDS) == (5, 30)


# What a wrong secret may come from.


@pytest.mark.parametrize("text", ['"correct horse"', "'correct horse'", "correct horse ", " x"])
def test_a_wrong_passphrase_with_a_quote_or_blank_around_it_says_so(path: Path, text: str) -> None:
    Vault.open(path, passphrase="correct horse", create=True, kdf=CHEAP).close()
    with pytest.raises(WrongKeyError, match="a blank or a quote at its beginning or end") as caught:
        Vault.open(path, passphrase=text)
    assert "horse" not in str(caught.value)
    with pytest.raises(WrongKeyError) as caught:
        Vault.open(path, passphrase="horse")
    assert "quote" not in str(caught.value)


def test_a_wrong_passphrase_with_colour_codes_says_so(path: Path) -> None:
    Vault.open(path, passphrase="correct horse", create=True, kdf=CHEAP).close()
    with pytest.raises(WrongKeyError, match="a character that does not print") as caught:
        Vault.open(path, passphrase="\x1b[32mcorrect horse\x1b[0m")
    assert "horse" not in str(caught.value)


KEY_TEXT = b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("KEY", f'"{KEY_TEXT}"', "has quotes around it"),
        ("KEY", "/run/secrets/key", "set SESSION_VAULT_KEY_FILE to it"),
        ("KEY_FILE", '"key"', "a quote, a blank or a CR at its beginning or end"),
        ("KEY_FILE", "key\r", "a quote, a blank or a CR at its beginning or end"),
        ("KEY_FILE", "~/key", "~ and $VARIABLES are not expanded here"),
        ("KEY_FILE", "$HOME/key", "~ and $VARIABLES are not expanded here"),
        ("KEY_FILE", "key", "looked for in the working directory"),
    ],
)
def test_what_a_shell_would_have_changed_is_named(variable: str, value: str, hint: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        keys.find_source(environ={f"{V}{variable}": value}).read()
    assert hint in str(caught.value)
    assert KEY_TEXT not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"\xef\xbb\xbf" + KEY_TEXT.encode(), "byte order mark"),
        (b"# my key\n" + KEY_TEXT.encode(), "more than one line"),
    ],
)
def test_what_is_wrong_with_a_key_file_is_named(tmp_path: Path, content: bytes, hint: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content + b"\n")
    file.chmod(0o600)
    with pytest.raises(KeySourceError, match=hint) as caught:
        keys.find_source(environ={f"{V}KEY_FILE": str(file)}).read()
    assert KEY_TEXT not in str(caught.value)


# The key file of the user that is not the vault's.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in [name for name in os.environ if name.startswith("INTERPALS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


def test_a_key_that_was_lost_with_its_container_has_its_way_out(path: Path, home: Path) -> None:
    Vault.open(path, create=True).close()
    own = home / ".config" / "interpal" / "vault.key"
    own.unlink()
    with pytest.raises(KeyRequiredError) as caught:
        Vault.open(path)
    said = str(caught.value)
    assert f"there is no key file {own}" in said
    assert "a container" in said
    assert "SESSION_VAULT_KEY_FILE" in said
    assert "VAULT_PASSPHRASE" not in said, "none of it could help"
    assert said.endswith(
        "If it is lost, nothing opens this vault: move the vault away and log in again"
    )
    assert not own.exists()


def test_the_key_of_another_machine_is_told_as_such(path: Path, home: Path) -> None:
    Vault.open(path, key=KEY, create=True).close()
    Vault.open(path.with_name("other"), create=True).close()
    with pytest.raises(WrongKeyError) as caught:
        Vault.open(path)
    said = str(caught.value)
    assert f"the key file {home}/.config/interpal/vault.key does not open this vault" in said
    assert "another machine" in said
    assert "move the vault away and log in again" in said


def test_a_key_file_that_is_not_there_is_not_told_as_available(path: Path, home: Path) -> None:
    Vault.open(path, passphrase="x", create=True, kdf=CHEAP).close()
    with pytest.raises(KeyRequiredError, match="only with a passphrase, and none is set") as caught:
        Vault.open(path)
    assert str(home) not in str(caught.value)


def test_without_the_keyring_package_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeySourceError, match=r"pip install 'interpal-vault\[keyring\]'"):
        keys.find_source(environ={f"{V}KEYRING": "service/me"}).read()


def test_a_source_loads_only_what_it_uses(path: Path) -> None:
    Vault.open(path, key=KEY, create=True)
    code = (
        "import sys; from interpal.vault import Vault; Vault.open(sys.argv[1]).close();"
        "print(*{'subprocess', 'shlex', 'keyring', 'platformdirs', 'argon2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, f"{V}KEY": KEY.hex()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


# What nobody means by a passphrase.


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\ufeffcorrect horse", "byte order mark"),
        ("c\0o\0", "NUL"),
        ("correct horse\nsecond", "more than one line"),
        ("correct horse\n\n", "ends with a newline"),
        ("\ncorrect horse", "more than one line"),
        ("correct horse\nsecond\n", "more than one line"),
        ("\n\n", "ends with a newline"),
        ("correct horse\r", "ends with a newline or a CR"),
        ("correct\rhorse", "more than one line"),
    ],
)
def test_a_passphrase_that_nobody_means_is_refused_with_the_reason(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        Vault.open(path, passphrase=content, create=True)
    assert "horse" not in told(caught.value)
    with pytest.raises(ValidationError, match=reason):
        Vault.open(path, passphrase=lambda: content, create=True)
    file = private(tmp_path / "secret", content)
    monkeypatch.setenv("INTERPALS_VAULT_PASSPHRASE_FILE", str(file))
    with pytest.raises(KeySourceError, match=reason) as source:
        Vault.open(path, create=True)
    assert str(file) in str(source.value)
    assert "horse" not in told(source.value)
    monkeypatch.delenv("INTERPALS_VAULT_PASSPHRASE_FILE")
    if "\0" not in content:
        monkeypatch.setenv("INTERPALS_VAULT_PASSPHRASE", content)
        with pytest.raises(KeySourceError, match=reason):
            Vault.open(path, create=True)
    assert not path.exists()
