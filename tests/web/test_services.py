"""The services of docs/web-service.md, as real programs with two workers, beside a sandbox.

FastAPI and Flask are no dependencies of this project: they have an environment of their own, with
the versions of `requirements.txt` beside this file, made once under `.venv/peers`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interpal.sandbox import Sandbox
from tests.docs.markdown import ROOT, blocks
from tests.packaging.environment import Environment, find_uv, read_lock

if TYPE_CHECKING:
    from collections.abc import Generator

# See `make long`.
pytestmark = pytest.mark.long

ACCOUNTS = {"maple_ink": "correct horse", "pedro_k": "battery staple"}
EXAMPLES = ROOT / "examples" / "web"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"

# As uvicorn and gunicorn start workers: processes that share the socket which they listen on.
WSGI = """
import os, socket, sys
from werkzeug.serving import make_server
sys.path.insert(0, sys.argv[1])
from flask_service import app
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    for _ in range(1):
        os.fork()
    make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno()).serve_forever()
"""
ASGI = """
import os, socket, sys
import uvicorn
sys.path.insert(0, sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    for _ in range(1):
        os.fork()
    config = uvicorn.Config("fastapi_service:app", log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])
"""
SERVERS = {"fastapi_service.py": ASGI, "flask_service.py": WSGI}


@pytest.fixture(scope="session")
def python() -> str:
    """A Python with the package's own dependencies, FastAPI, uvicorn and Flask."""
    peers = ROOT / ".venv" / "peers"
    folder = peers / "web"
    recipe = REQUIREMENTS.read_text() + sys.version
    marker = folder / ".complete"
    peers.mkdir(parents=True, exist_ok=True)
    with open(peers / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            environment = Environment(folder, uv=find_uv())
            environment.install_pins(read_lock().of(["run"]))
            environment.install("--requirement", str(REQUIREMENTS))
            marker.write_text(recipe)
    return str(folder / "bin" / "python")


@contextmanager
def service(python: str, name: str, sandbox: Sandbox, folder: Path) -> Generator[str, None, None]:
    """The service with two workers; its URL."""
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps(ACCOUNTS))
    accounts.chmod(0o600)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("INTERPALS_")}
    environment = {
        **clean,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PYTHONPATH": str(ROOT),
        "ACCOUNTS_FILE": str(accounts),
        "INTERPALS_BASE_URL": sandbox.base_url,
    }
    with subprocess.Popen(
        [python, "-c", SERVERS[name], str(EXAMPLES)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def get(url: str, path: str) -> tuple[int, Any]:
    """What the service answers, once it answers at all."""
    # The socket listens before the workers are there: a request waits for them.
    reply = requests.get(f"{url}{path}", timeout=100)
    return reply.status_code, reply.json()


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_two_workers_make_one_login_for_each_account(
    name: str, python: str, tmp_path: Path
) -> None:
    with Sandbox(accounts=ACCOUNTS) as sandbox:
        with service(python, name, sandbox, tmp_path) as url, ThreadPoolExecutor(8) as pool:
            asked = [username for _ in range(6) for username in ACCOUNTS]
            answers = list(pool.map(lambda username: get(url, f"/accounts/{username}"), asked))
            assert answers == [
                (200, {"username": username, "name": {"maple_ink": "Runa"}.get(username, "Pedro")})
                for username in asked
            ]
            assert sandbox.stats()["logins"] == {"maple_ink": 1, "pedro_k": 1}
            sandbox.invalidate()
            assert get(url, "/accounts/maple_ink")[0] == 200
            assert sandbox.stats()["logins"] == {"maple_ink": 2, "pedro_k": 1}
        with service(python, name, sandbox, tmp_path) as url:
            assert get(url, "/accounts/maple_ink")[0] == 200
            assert sandbox.stats()["logins"] == {"maple_ink": 2, "pedro_k": 1}


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_an_account_that_is_unknown_or_refused_is_told(
    name: str, python: str, tmp_path: Path
) -> None:
    with (
        Sandbox(accounts={"maple_ink": "another password"}) as sandbox,
        service(python, name, sandbox, tmp_path) as url,
    ):
        assert get(url, "/accounts/maple_ink")[0] == 502
    with Sandbox(accounts=ACCOUNTS) as sandbox, service(python, name, sandbox, tmp_path) as url:
        status = requests.get(f"{url}/accounts/nobody", timeout=60).status_code
        assert status == 404


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_the_page_shows_the_program_that_is_tested(name: str) -> None:
    page = (ROOT / "docs" / "web-service.md").read_text()
    shown = {block.directives.get("file", "").strip(): block.text for block in blocks(page)}
    assert shown[name] == (EXAMPLES / name).read_text()
