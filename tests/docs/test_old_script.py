"""What SECURITY.md says of a script for interpal 1.x that is run at the path of a vault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from interpal import InterpalClient
from interpal.sandbox import Sandbox
from interpal.transport import origin
from tests.sandbox.peer import plain_session_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_replaces_the_vault_by_a_plain_file_which_is_encrypted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        # The one site that interpal 1.x knew: files of it belong there.
        monkeypatch.setattr(origin, "DEFAULT_BASE_URL", sandbox.base_url)

        def start() -> InterpalClient:
            return InterpalClient(
                "maple_ink",
                "secret",
                auto_login=True,
                persist_session=True,
                base_url=sandbox.base_url,
            )

        start().close()
        path = plain_session_file(sandbox.base_url, "maple_ink", "secret", folder=tmp_path)
        cookie = json.loads(path.read_bytes())["session_cookie"]
        assert sandbox.stats()["logins"] == {"maple_ink": 2}

        client = start()
        assert client.session is not None
        assert client.session.session_cookie == cookie
        assert cookie.encode() not in path.read_bytes()
        assert sandbox.stats()["logins"] == {"maple_ink": 2}
        client.close()
