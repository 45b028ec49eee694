"""The audit fails for findings, and where it could not look it says so instead of nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.packaging import audit

if TYPE_CHECKING:
    from pathlib import Path

SOUND = {"name": "requests", "version": "2.32.0", "vulns": []}
UNKNOWN = {"name": "requests", "skip_reason": "not found on PyPI"}
OURS = {"name": "interpal-vault", "skip_reason": "editable"}
BAD = {
    "name": "requests",
    "version": "2.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.2"]}, {"id": "PYSEC-2", "fix_versions": []}],
}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, OURS], 0, "1 packages audited, 0 findings"),
        ([SOUND, UNKNOWN], 0, "not audited: requests"),
        ([BAD], 1, "requests 2.1: PYSEC-1 (mended in: 2.2)"),
        ([BAD], 1, "PYSEC-2 (mended in: no version yet)"),
        ([UNKNOWN, OURS], 0, "NOT RUN"),
        ([], 0, "NOT RUN"),
        (None, 0, "NOT RUN: the audit of the dependencies. no network"),
    ],
)
def test_findings_fail_and_what_could_not_be_looked_up_is_said(
    packages: list[dict[str, Any]] | None,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def write(report: Path) -> str | None:
        if packages is None:
            return "no network"
        report.write_text(json.dumps({"dependencies": packages, "fixes": []}))
        return None

    monkeypatch.setattr(audit, "audit", write)
    assert audit.main() == code
    assert said in capsys.readouterr().out


def test_without_pip_audit_the_reason_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert audit.audit(tmp_path / "report.json") == "exit code 1"
