"""The bounds of `make coverage`: kept, or told with what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import covered

if TYPE_CHECKING:
    from pathlib import Path


def measured(lines: int, *, missing: list[int], branches: list[list[int]]) -> dict[str, Any]:
    """One file of the report, with a hundred branches."""
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": lines - len(missing),
            "num_branches": 100,
            "covered_branches": 100 - len(branches),
        },
        "missing_lines": missing,
        "missing_branches": branches,
    }


SOUND = {
    f"{part}one.py": measured(7, missing=[], branches=[[3, -1], [4, 5]]) for part in covered.PARTS
}


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        (SOUND, 0, "interpal/flows/one.py: branches 3->exit, 4->5"),
        ({**SOUND, "interpal/client.py": measured(7, missing=[1], branches=[])}, 0, "6 of 7"),
        (
            {**SOUND, "interpal/vault/cli/two.py": measured(7, missing=[2, 4], branches=[])},
            1,
            "interpal/vault/cli/two.py: lines 2, 4",
        ),
        (
            {"interpal/vault/cli/one.py": measured(7, missing=[], branches=[])},
            1,
            "interpal/flows/: 0 of 0 lines",
        ),
        (
            {**SOUND, "interpal/flows/one.py": measured(7, missing=[], branches=[[1, 2]] * 5)},
            1,
            "95 of 100 branches (95.00%)",
        ),
    ],
    ids=["kept", "without bounds", "a line", "not measured", "branches"],
)
def test_what_is_missing_is_told_and_fails_where_a_bound_is_broken(
    files: dict[str, Any],
    code: int,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"files": files}))
    assert covered.main(str(report)) == code
    assert told in capsys.readouterr().out
