"""`make bench` runs from end to end, and what it writes says nothing of the host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import plot, table
from benchmarks.cases import all_cases
from benchmarks.measure import Spread, interleave
from benchmarks.result import Result, Row, load, save
from tests.redis_server import COMMANDS

ROOT = Path(__file__).parents[2]


def spread(median: float) -> Spread:
    return Spread(median, median, median, 1)


ROWS = [
    Row("reached", "a floor", spread(0.5), spread(1), at_most=0.5),
    Row("missed", "a <floor>", spread(2), spread(1), at_most=1.5),
    Row("only told", "a peer", spread(3e-5), spread(2)),
    Row("more", "a bare one", spread(0.004), spread(0.001), at_most=0.005, kind="difference"),
    Row("exactly", "one", spread(2), spread(1), at_most=1, kind="count", unit=""),
]


@pytest.mark.long
def test_every_case_runs_and_its_figures_are_written(tmp_path: Path) -> None:
    docs, results = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    for page in ("cost.md", "keyring.md", "scaling.md"):
        shutil.copy(ROOT / "docs" / page, docs)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--results", results, "--docs", docs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    assert {path.stem for path in results.iterdir()} == set(all_cases())
    written = "".join(path.read_text() for path in results.iterdir())
    assert socket.gethostname() not in written
    assert str(Path.home()) not in written
    assert str(ROOT) not in written
    for name in all_cases():
        found = json.loads((results / f"{name}.json").read_text())
        assert found["rows"]
        assert all(row["ours"]["median"] > 0 for row in found["rows"])
        assert {"processor", "cores", "memory_gib", "system"} == set(found["machine"])
        assert found["versions"]["python"] == sys.version.split()[0]
    assert "whole process" in (docs / "cost.md").read_text()
    assert "change one of 1: file" in (docs / "scaling.md").read_text()
    assert "whole process: `keyring get`" in (docs / "keyring.md").read_text()
    ElementTree.parse(docs / "cost.svg")


def test_the_heavy_modules_are_not_loaded_by_the_import() -> None:
    kept = load(ROOT / "benchmarks" / "results", "import")
    assert kept is not None
    assert kept.facts["heavy_modules_loaded"] == []


def test_contestants_take_turns_and_change_their_order() -> None:
    turns: list[str] = []

    def contestant(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    found = interleave({name: lambda name=name: contestant(name) for name in "ab"}, rounds=2)  # type: ignore[misc]
    assert "".join(turns) == "ab" + "ab" + "ba"
    assert found["a"] == Spread(4.5, 3.75, 5.25, 2)


def test_a_row_tells_whether_its_cost_is_reached() -> None:
    assert [row.reached for row in ROWS] == [True, False, None, True, False]
    assert [table.value_of(row) for row in ROWS] == [
        "0.50 x",
        "2.00 x",
        "1.5e-05 x",
        "3.00 ms",
        "2.00",
    ]
    assert table.bound_of(ROWS[3]) == "5.00 ms"


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = Result("some", ROWS, {"accounts": [1, 2]})
    save(result, tmp_path)
    assert load(tmp_path, "some") == result
    assert load(tmp_path, "other") is None


def test_the_table_stands_between_its_markers_and_the_rest_of_the_page_stays(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.md"
    begin = table.BEGIN.format(name="costs")
    page.write_text(f"before\n{begin}\nyesterday\n{table.END}\nafter\n")
    for _ in range(2):
        table.put_into(page, "costs", ROWS)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert text.count("| missed |") == 1
    with pytest.raises(ValueError, match="markers"):
        table.put_into(page, "another", [])


def test_the_plot_has_a_dot_for_every_ratio() -> None:
    image = ElementTree.fromstring(plot.svg([Result("some", ROWS)]))
    assert len(image.findall("{http://www.w3.org/2000/svg}circle")) == 3
    words = list(image.itertext())
    assert words[words.index("missed") + 2] == "/ a <floor>"


def test_the_page_on_stores_allows_a_redis_user_what_the_tests_allow_it() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert f"~{{interpal}}:* resetchannels -@all {COMMANDS}\n" in page


def test_only_some_cases_can_be_asked_for_and_a_quick_run_writes_nothing(tmp_path: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in (ROOT / "benchmarks/results").iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "import"],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "`import interpal`" in done.stdout
    assert "whole process" not in done.stdout
    after = sorted(path.stat().st_mtime_ns for path in (ROOT / "benchmarks/results").iterdir())
    assert after == before
