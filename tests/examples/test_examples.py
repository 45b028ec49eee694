"""Every example runs as its user would run it: a process of its own, an empty home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ARGUMENTS = {"long_running_bot.py": ["2", "0.1"]}
OURS = ("INTERPALS_", "SESSION_VAULT_")
RUN = sorted(path.name for path in EXAMPLES.glob("[!_]*.py"))


def run(name: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    work = home / "work"
    work.mkdir(exist_ok=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    clean.pop("XDG_CONFIG_HOME", None)
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *ARGUMENTS.get(name, [])],
        env={**clean, "HOME": str(home), "TMPDIR": str(home), **environment},
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", RUN)
def test_the_example_runs_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout
    assert [str(path) for path in tmp_path.rglob("*")] == [str(tmp_path / "work")]


def test_the_examples_are_the_ones_that_the_guide_names() -> None:
    assert {
        "async_session.py",
        "basic_sync.py",
        "ci_job.py",
        "demo.py",
        "long_running_bot.py",
        "many_accounts.py",
        "persistent_session.py",
        "reply_bot.py",
    } <= set(RUN)


def test_with_a_username_set_the_session_is_saved_where_the_script_runs(tmp_path: Path) -> None:
    from interpal.sandbox import Sandbox

    with Sandbox(accounts={"real_user": "real secret"}) as sandbox:
        chosen = {
            "INTERPALS_BASE_URL": sandbox.base_url,
            "INTERPALS_USERNAME": "real_user",
            "INTERPALS_PASSWORD": "real secret",
        }
        first = run("basic_sync.py", tmp_path, **chosen)
        assert first.returncode == 0, first.stderr
        assert "sandbox" not in first.stdout
        assert run("basic_sync.py", tmp_path, **chosen).returncode == 0
        assert sandbox.stats()["logins"] == {"real_user": 1}
    assert (tmp_path / "work" / ".interpals_session.json").stat().st_mode & 0o777 == 0o600
