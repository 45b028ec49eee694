"""What a client loads: nothing of the calls before one is used, then the module of its topic."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from interpal import InterpalClient

def loaded():
    print(*sorted(name for name in sys.modules if name.startswith(
        ("interpal.api.", "interpal.live", "interpal.ext", "interpal.models"))))

client = InterpalClient("maple_ink", "secret", auto_login=True, persist_session=True,
                        vault_key=b"k" * 32, base_url=sys.argv[1])
client.validate_session()
dir(client)
loaded()
client.get_threads()
loaded()
"""


def test_a_resume_loads_no_call_and_a_call_its_topic_only(tmp_path: Path) -> None:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        # The first run logs in, the second resumes.
        _, printed = [
            subprocess.run(
                [sys.executable, "-c", PROGRAM, sandbox.base_url],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for _ in range(2)
        ]
        assert sandbox.stats()["logins"] == {"maple_ink": 1}
    before, after = printed.splitlines()
    assert before.split() == [
        "interpal.api.base",
        "interpal.api.calls",
    ]
    topics = {"account", "messages", "search", "media", "social", "notifications", "posts"}
    found = {name.removeprefix("interpal.api.") for name in after.split()} & topics
    # Counters are a request of the account, which messages read too.
    assert found == {"messages", "account"}
