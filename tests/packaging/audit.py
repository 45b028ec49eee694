"""Known vulnerabilities of what is installed here, by pip-audit: `python -m tests.packaging.audit`.

Fails (exit code 1) for findings. Where pip-audit or its database cannot be had it says NOT RUN,
as loudly as it can, and fails nobody's build: no finding was made, and no all-clear either.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OURS = "interpal-vault"
TIMEOUT_SECONDS = 300


def audit(report: Path) -> str | None:
    """Let pip-audit write its *report*; what was in the way where there is none."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable"]
    command += ["--format", "json", "--output", str(report)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"pip-audit did not end within {TIMEOUT_SECONDS} seconds"
    if report.exists() and report.stat().st_size:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def judge(report: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """The findings in a report, what was left out, and how many packages were looked up."""
    findings: list[str] = []
    left_out: list[str] = []
    looked_up = 0
    for package in report["dependencies"]:
        if "skip_reason" in package:
            left_out.append(package["name"])
            continue
        looked_up += 1
        for one in package["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            which = f"{package['name']} {package['version']}"
            findings.append(f"{which}: {one['id']} (mended in: {mended})")
    return findings, [name for name in left_out if name != OURS], looked_up


def not_run(reason: str) -> int:
    """Say so. No failure: there is no finding."""
    line = "=" * 72
    print(f"{line}\nNOT RUN: the audit of the dependencies. {reason}\n{line}", flush=True)
    return 0


def main() -> int:
    """0 without findings and where nothing could be looked up, 1 with findings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        obstacle = audit(path)
        if obstacle is not None:
            return not_run(obstacle)
        findings, left_out, looked_up = judge(json.loads(path.read_text("utf-8")))
    if not looked_up:
        return not_run("the database knows none of the packages: is it a mirror without one?")
    if left_out:
        print(f"not in the database, and not audited: {', '.join(left_out)}")
    for finding in findings:
        print(finding)
    print(f"{looked_up} packages audited, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
