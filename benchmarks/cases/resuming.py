"""A whole process that resumes a saved session: its time and its memory."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from benchmarks.children import PRINT_PEAK, Program
from benchmarks.measure import interleave
from benchmarks.records import ACCOUNT, KEY, record, vault_file
from benchmarks.result import Result, Row
from interpal.sandbox import Sandbox
from tests.sandbox.peer import peer_python

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cases import Scale

PASSWORD = "secret"

OURS = f"""
import sys
from interpal import InterpalClient
client = InterpalClient({ACCOUNT!r}, persist_session=True, session_file=sys.argv[1],
                        vault_key={KEY!r}, auto_login=True, revalidate_after=86400)
assert client.session is not None
"""

IMPORTS = """
import json
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
"""

# Its constructor always asks the server; what is taken out is that one call and nothing else.
THEIRS = f"""
import sys
from interpal import InterpalClient
from interpal.auth import AuthManager
AuthManager.validate_session = lambda self: True
client = InterpalClient({ACCOUNT!r}, persist_session=True, session_file=sys.argv[1])
assert client.auth.session_cookie
"""

OURS_ASKING = f"""
import sys
from interpal import InterpalClient
client = InterpalClient({ACCOUNT!r}, persist_session=True, session_file=sys.argv[1],
                        vault_key={KEY!r}, auto_login=True, base_url=sys.argv[2])
assert client.session.last_validated_at is not None
"""

THEIRS_ASKING = f"""
import sys
import interpal.auth
from interpal import InterpalClient
interpal.auth.AuthManager.BASE_URL = sys.argv[2]
client = InterpalClient({ACCOUNT!r}, persist_session=True, session_file=sys.argv[1])
assert client.auth.session_cookie
"""

REQUESTS_ALONE = """
import sys
import requests
reply = requests.get(sys.argv[2] + "/v1/account/self", headers={
    "Cookie": "interpals_sessid=" + sys.argv[1], "X-Auth-Token": sys.argv[3]})
assert reply.json()["username"]
"""


def run(scale: Scale, folder: Path) -> Result:
    rows = _without_asking(scale, folder)
    rows += _asking(scale, folder)
    return Result("resume", rows, {"peer": "interpal 1.2.0"})


def _without_asking(scale: Scale, folder: Path) -> list[Row]:
    vault = str(vault_file(folder, 1))
    plain = folder / "plain.json"
    plain.write_text(json.dumps(_plain_record(), indent=2), encoding="utf-8")
    ours = Program(folder, OURS, vault)
    theirs = Program(folder, THEIRS, str(plain), python=peer_python())
    time = interleave(
        {
            "ours": ours.seconds(),
            "imports": Program(folder, IMPORTS).seconds(),
            "theirs": theirs.seconds(),
        },
        scale.processes,
    )
    memory = interleave(
        {
            "ours": Program(folder, OURS + PRINT_PEAK, vault).peak_memory(),
            "imports": Program(folder, IMPORTS + PRINT_PEAK).peak_memory(),
        },
        max(1, scale.processes // 6),
    )
    what = "whole process: resume with a raw key, not asking the server"
    imports = "an interpreter that imports json and AESGCM"
    return [
        Row(what, imports, time["ours"], time["imports"], at_most=1.35),
        Row(what, "interpal 1.2.0, its plain file", time["ours"], time["theirs"], at_most=0.155),
        Row(
            what="the same: most memory",
            against=imports,
            ours=memory["ours"],
            floor=memory["imports"],
            at_most=1.3,
            unit="MiB",
        ),
    ]


def _asking(scale: Scale, folder: Path) -> list[Row]:
    """The same with one question to a loopback server, as a start without `revalidate_after`."""
    with Sandbox(accounts={ACCOUNT: PASSWORD}) as sandbox:
        vault = str(folder / "asking_session.json")
        plain = folder / "asking.json"
        session = _log_in(sandbox.base_url, vault)
        plain.write_text(json.dumps(session, indent=2), encoding="utf-8")
        cookie, token = str(session["session_cookie"]), str(session["auth_token"])
        url = sandbox.base_url
        time = interleave(
            {
                "ours": Program(folder, OURS_ASKING, vault, url).seconds(),
                "alone": Program(folder, REQUESTS_ALONE, cookie, url, token).seconds(),
                "theirs": Program(
                    folder, THEIRS_ASKING, str(plain), url, python=peer_python()
                ).seconds(),
            },
            max(1, scale.processes // 2),
        )
    what = "whole process: resume and ask the server once"
    return [
        Row(what, "requests alone, the cookie in clear", time["ours"], time["alone"], at_most=1.2),
        Row(what, "interpal 1.2.0, its plain file", time["ours"], time["theirs"]),
    ]


def _log_in(url: str, vault: str) -> dict[str, object]:
    from interpal import InterpalClient

    with InterpalClient(
        ACCOUNT,
        PASSWORD,
        auto_login=True,
        persist_session=True,
        session_file=vault,
        vault_key=KEY,
        base_url=url,
    ) as client:
        return _as_plain(client.export_session())


def _plain_record() -> dict[str, object]:
    return _as_plain(record())


def _as_plain(session: dict[str, object]) -> dict[str, object]:
    """A session as 1.2.0 writes it: naive local times."""

    def local(name: str) -> str:
        time = datetime.fromisoformat(str(session[name]).replace("Z", "+00:00"))
        return time.astimezone().replace(tzinfo=None).isoformat()

    return {
        "session_cookie": session["session_cookie"],
        "auth_token": session["auth_token"],
        "username": session["username"],
        "bot_id": session["user_id"],
        "created_at": local("created_at"),
        "expires_at": local("expires_at"),
    }
