"""The unmodified PyPI `interpal` 1.2.0 in an environment of its own, to talk to the sandbox.

The environment is made once, under `.venv/peers`, and kept. It cannot be mixed with that of the
tests: both packages are called `interpal`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.packaging.environment import make, read_lock

# Its wheel declares neither websocket-client nor requests-toolbelt, which its modules import, and
# declares websockets, which none of them imports: pyproject.toml says what it needs.
RELEASE = "interpal-1.2.0"
PART = "peer"

_FOLDER = Path(__file__).resolve().parents[2] / ".venv" / "peers"

# Every class attribute that holds the address of the real site (docs/sandbox.md).
POINT_AT_SANDBOX = """
import os, sys, interpal.auth, interpal.http, interpal.websocket
CONTROL = {"Authorization": "Bearer " + os.environ["INTERPALS_SANDBOX_TOKEN"]}
from interpal import AsyncInterpalClient, InterpalClient
BASE = sys.argv[1]
interpal.auth.AuthManager.BASE_URL = BASE
interpal.http.HTTPClient.BASE_URL = BASE
interpal.http.AsyncHTTPClient.BASE_URL = BASE
interpal.websocket.WebSocketClient.WS_URL = BASE.replace("http", "ws", 1) + "/v1/ws"
"""


def peer_python() -> str:
    """Return the path of a Python that has `interpal` 1.2.0; it is installed by the first call."""
    folder = _FOLDER / RELEASE
    python, marker = folder / "bin" / "python", folder / ".complete"
    recipe = json.dumps([read_lock().of([PART]), sys.version])
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with open(_FOLDER / ".lock", "w") as lock:
        # Parallel test workers: one makes it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, [PART])
            marker.write_text(recipe)
    return str(python)


def run_peer(base_url: str, script: str, *arguments: str, folder: Path) -> dict[str, Any]:
    """Run a script against a sandbox and return the JSON object in the last line of its output.

    The script finds `InterpalClient` and `AsyncInterpalClient` pointed at the sandbox,
    `arguments` from `sys.argv[2]` on, and `folder` as its working directory.
    """
    environment = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [peer_python(), "-I", "-c", POINT_AT_SANDBOX + script, base_url, *arguments],
        cwd=folder,
        env={**environment, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


LOG_IN = """
client = InterpalClient(username=sys.argv[2], password=sys.argv[3], auto_login=True,
                        persist_session=True)
print("{}")
"""


def plain_session_file(base_url: str, username: str, password: str, *, folder: Path) -> Path:
    """Let 1.2.0 log in and leave its plain session file in `folder`; return the file's path."""
    run_peer(base_url, LOG_IN, username, password, folder=folder)
    return folder / ".interpals_session.json"
