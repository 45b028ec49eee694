"""What `make check` runs: the tests of what has changed, and none once its time is over."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import check

if TYPE_CHECKING:
    from pathlib import Path


def test_the_tests_of_a_module_are_those_that_import_it() -> None:
    found = check.tests_of(["interpal/session.py"])
    assert found[:2] == list(check.OF_MODULES)
    assert "tests/session/test_session_manager.py" in found
    assert "tests/format/test_jwe.py" not in found


def test_the_tests_in_the_folder_of_a_module_are_its_own_too() -> None:
    found = check.tests_of(["interpal/sessions/keeping.py"])
    assert "tests/sessions/test_keep.py" in found
    assert "tests/flows/test_cancelled.py" not in found
    assert "tests/flows/test_cancelled.py" in check.tests_of(["interpal/flows/saving.py"])


def test_the_tests_of_a_helper_are_those_that_import_it() -> None:
    found = check.tests_of(["tests/debian.py"])
    assert "tests/docs/test_jose.py" in found
    assert "tests/format/test_jwe.py" not in found


def test_a_changed_test_comes_before_those_that_import_something() -> None:
    found = check.tests_of(["interpal/session.py", "tests/format/test_jwe.py"])
    assert found[2] == "tests/format/test_jwe.py"


@pytest.mark.parametrize("slow", check.SLOW)
def test_a_slow_test_is_left_to_make_test(slow: str) -> None:
    assert (check.ROOT / slow).is_file()
    assert slow not in check.tests_of([slow])


def test_a_page_has_the_fast_tests_of_the_pages() -> None:
    assert check.tests_of(["docs/format.md"]) == list(check.OF_PAGES)
    assert all((check.ROOT / path).is_file() for path in (*check.OF_MODULES, *check.OF_PAGES))


def test_pyright_looks_at_what_has_changed_only() -> None:
    assert not [command for command in check.linters(["README.md"]) if "pyright" in command[0]]
    (pyright,) = [one for one in check.linters(["interpal/a.py", "b.md"]) if "pyright" in one[0]]
    assert pyright[1:] == ["interpal/a.py"]


def test_no_test_is_begun_once_the_time_is_over_and_they_are_counted(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_one(): assert 0\ndef test_two(): assert 0\n")
    script = (
        "import sys, pytest; from tests.check import Budget; budget = Budget(float(sys.argv[1]));"
        "print(int(pytest.main(['-q', sys.argv[2]], plugins=[budget])), budget.left_out)"
    )
    said = []
    for seconds in ("-1", "600"):
        command = [sys.executable, "-c", script, seconds, str(tmp_path)]
        done = subprocess.run(
            command, cwd=check.ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        said.append(done.stdout.splitlines()[-1])
    assert said == ["0 2", "1 0"]
