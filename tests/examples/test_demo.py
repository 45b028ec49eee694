"""What the demo promises it has checked, and its checks are able to fail."""

from __future__ import annotations

import base64
import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples.test_examples import EXAMPLES, run

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def _load_demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo: Any = _load_demo()


def test_the_demo_shows_one_login_resumed_and_one_more_resumed(
    tmp_path: Path,
) -> None:
    done = run("demo.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [line for line in done.stdout.splitlines() if "the server has seen" in line]
    assert [line.split()[-2] for line in counts] == ["1", "1", "2", "2"]
    assert "mode 0600" in done.stdout
    assert "interpal.vault inspect" in done.stdout


@given(before=st.binary(max_size=7), after=st.binary(max_size=7), at=st.integers(0, 2))
def test_a_secret_in_base64_is_found_wherever_it_stands(
    before: bytes, after: bytes, at: int
) -> None:
    raw = "maple_ink".encode(("utf-8", "utf-16-le", "utf-16-be")[at])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        hidden = encode(before + raw + after)
        assert any(form in hidden for form in demo.forms("maple_ink"))


def test_a_secret_inside_a_header_inside_a_slot_is_found() -> None:
    def wrap(inner: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(inner).encode()).decode().rstrip("=")

    slot = f"{wrap({'kid': 'slot-1', 'note': 'maple_ink'})}.AAAA.BBBB.CCCC.DDDD"
    text = json.dumps({"protected": wrap({"vault": {"slots": [slot]}}), "iv": "AAAAAAAAAAAAAAAA"})
    assert "maple_ink" not in text
    assert any(
        form in layer for layer in demo.layers(text.encode()) for form in demo.forms("maple_ink")
    )


@given(noise=st.binary(min_size=12, max_size=200))
def test_whatever_a_ciphertext_decodes_to_is_searched(noise: bytes) -> None:
    encoded = base64.urlsafe_b64encode(b"{" + noise).rstrip(b"=")
    assert b"{" + noise in list(demo.layers(encoded))


def test_a_promise_that_is_not_kept_ends_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="NOT SO: its mode is 0600"):
        demo.check("its mode is 0600", kept=False)


def test_the_demo_runs_the_script_that_the_readme_shows() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert f"```python\n{demo.SCRIPT}```" in readme
    assert len(demo.SCRIPT.splitlines()) == 8
