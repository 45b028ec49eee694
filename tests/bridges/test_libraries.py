"""The bridges with the real libraries, in an environment of theirs, against a server on loopback.

Each script runs twice: the second process goes on with what the first has saved.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from interpal.vault import Vault
from tests.beside import run_beside
from tests.bridges.token_server import TokenServer
from tests.docs.markdown import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# See `make long`.
pytestmark = pytest.mark.long

KEY = bytes(range(32))
LIBRARIES = ("spotipy", "msal", "requests-oauthlib", "google-auth", "instagrapi")

# Whatever a library sends goes to the server on loopback, and nowhere else.
START = """
import json, os, sys
from urllib.parse import urlsplit
import requests
_request, _server = requests.Session.request, sys.argv[1]
def to_loopback(self, method, where, *arguments, **settings):
    parts = urlsplit(where)
    where = _server + parts.path + (f"?{parts.query}" if parts.query else "")
    return _request(self, method, where, *arguments, **settings)
requests.Session.request = to_loopback
"""

# instagrapi would ask Instagram by a transport of its own.
INSTAGRAM = """
import instagrapi
def login_by_sessionid(self, sessionid):
    settings = {"authorization_data": {"sessionid": "token-1"}}
    self.set_settings({**self.get_settings(), **settings})
instagrapi.Client.login_by_sessionid = login_by_sessionid
"""

END = """
print(json.dumps(token))
"""


def block_of(library: str) -> str:
    """What the page shows for a library."""
    page = (ROOT / "docs" / "bridges.md").read_text("utf-8")
    part = page.partition(f"## {library}\n")[2].partition("\n## ")[0]
    return next(block.text for block in blocks(part) if block.language == "python")


@pytest.fixture
def server() -> Generator[TokenServer, None, None]:
    with TokenServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize(
    ("library", "name", "given"),
    [
        ("spotipy", "spotify", 1),
        ("msal", "microsoft", 1),
        ("requests-oauthlib", "photos", 1),
        ("google-auth", "google", 1),
        ("instagrapi", "instagram", 0),
    ],
)
def test_the_second_process_goes_on_with_the_token_of_the_first(
    library: str, name: str, given: int, server: TokenServer, folder: Path
) -> None:
    script = START + (INSTAGRAM if library == "instagrapi" else "") + block_of(library) + END
    for _ in range(2):
        found = run_beside(
            script,
            server.url,
            folder=folder,
            tools="bridges",
            seconds=120,
            INTERPALS_VAULT_KEY=KEY.hex(),
        )
        assert found == "token-1"
    assert server.given == given
    assert b"token-1" not in (folder / "tokens.json").read_bytes()
    with Vault.open(folder / "tokens.json", key=KEY) as vault:
        assert list(vault) == [name]
        assert "token-1" in json.dumps(vault[name].copy())


EXAMPLES = ROOT / "examples" / "bridges"

# The example as its user starts it.
RUN = """
import contextlib, io, runpy
sys.argv = sys.argv[2:]
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    runpy.run_path(sys.argv[0], run_name="__main__")
print(json.dumps(printed.getvalue().splitlines()))
"""

CLIENT = {
    "INTERPALS_VAULT_KEY": KEY.hex(),
    "SPOTIPY_CLIENT_ID": "client id",
    "SPOTIPY_CLIENT_SECRET": "client secret",
    "AZURE_CLIENT_ID": "client id",
    "AZURE_CLIENT_SECRET": "client secret",
    "AZURE_TENANT_ID": "common",
    "CLIENT_ID": "client id",
    "CLIENT_SECRET": "client secret",
    "GOOGLE_CLIENT_ID": "client id",
    "GOOGLE_CLIENT_SECRET": "client secret",
    "GOOGLE_REFRESH_TOKEN": "again",
    "INSTAGRAM_SESSIONID": "token-1",
}
ENDPOINTS = ("https://photos.example/token", "https://photos.example/me")


def test_there_is_an_example_of_each_bridge() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix == ".py"} == set(PRINTED)


PRINTED = {
    "spotipy_token.py": (
        ["There is no token yet.", "Artist: Ann"],
        ["A token is kept.", "Artist: Ann"],
    ),
    "msal_tokens.py": (["There is a new token."], ["A token is kept."]),
    "oauth_token.py": (["There is no token yet.", "Hello, Ann"], ["Hello, Ann"]),
    "google_credentials.py": (
        ["There are no credentials yet.", "Hello, Ann"],
        ["Credentials are kept.", "Hello, Ann"],
    ),
    "instagrapi_settings.py": (["There is no session yet."], ["A session is kept."]),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_second_run_of_the_example_needs_no_new_token(
    name: str, server: TokenServer, folder: Path
) -> None:
    start = START + (INSTAGRAM if name.startswith("instagrapi") else "") + RUN
    for expected in PRINTED[name]:
        found = run_beside(
            start,
            server.url,
            str(EXAMPLES / name),
            *(ENDPOINTS if name == "oauth_token.py" else ()),
            folder=folder,
            tools="bridges",
            seconds=120,
            **CLIENT,
        )
        assert [line for line in found if not line.startswith("Device:")] == expected
    assert server.given == (0 if name.startswith("instagrapi") else 1)
    assert b"token-1" not in (folder / "tokens.json").read_bytes()


S3 = """
import boto3, threading
sys.path.insert(0, os.environ["STORES"])
from moto.server import ThreadedMotoServer
from s3_store import S3Place
from interpal.vault import SimpleStore, StaleWriteError
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
client = boto3.client(
    "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
    aws_access_key_id="a", aws_secret_access_key="b",
)
client.create_bucket(Bucket="bucket")
place = lambda: SimpleStore(S3Place(client, "bucket", "vault"), "s3://bucket/vault")
"""

DJANGO = """
sys.path.insert(0, os.environ["STORES"])
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["app"], USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}},
)
os.makedirs("app")
open("app/__init__.py", "w").close()
with open("app/models.py", "w") as file:
    file.write('''
from django.db import models
class StoredVault(models.Model):
    name = models.CharField(max_length=100, primary_key=True)
    data = models.BinaryField()
    version = models.BigIntegerField(default=1)
''')
sys.path.insert(0, os.getcwd())
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from app.models import StoredVault
from django_store import ModelPlace
from interpal.vault import SimpleStore, StaleWriteError
place = lambda: SimpleStore(ModelPlace(StoredVault, "sessions"), "row sessions")
"""

BOTH = """
key = bytes(range(32))
one, two = (Vault.open(place(), key=key, create=True) for _ in range(2))
one["a"] = {"n": 1}
lost = 0
try:
    with one.transaction() as records:
        two["b"] = {"n": 2}
        records["a"] = {"n": 3}
except StaleWriteError:
    lost += 1
two["c"] = {"n": 4}
one["d"] = {"n": 5}
two.rotate()
with Vault.open(place(), key=key) as third:
    print(json.dumps([lost, {name: record["n"] for name, record in third.items()}]), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("script", [S3, DJANGO], ids=["s3", "django"])
def test_the_stores_of_the_examples_keep_what_two_writers_save(script: str, folder: Path) -> None:
    start = "import json, os, sys\nfrom interpal.vault import Vault\n"
    found = run_beside(
        start + script + BOTH,
        folder=folder,
        tools="bridges",
        seconds=200,
        STORES=str(ROOT / "examples" / "stores"),
    )
    assert found == [1, {"a": 1, "b": 2, "c": 4, "d": 5}]
