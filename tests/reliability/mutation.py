"""P, the third generator: the source is changed in small ways, and a test has to notice each.

mutmut does it, in a copy of the tree, over the format, the key slots and `private_files.py`, with
the tests of `tests/format` and `tests/files`. The wording of messages is left alone. What survives
is looked up in `survivors.py`, where every one is explained; one that is not is a failure.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reliability import Row
from tests.reliability.children import scratch
from tests.reliability.fuzzing import install
from tests.reliability.survivors import SURVIVORS, Survivor

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = (
    "format/jwe",
    "format/header",
    "format/key_slots",
    "format/envelope",
    "format/payload",
    "format/record_envelope",
    "files/private_files",
)
TESTS = ("tests/format", "tests/files")
WITH_CHILDREN = ("tests/files/test_strangers.py", "tests/files/test_mounts.py")

LONGEST = 3 * 3600
NOT_TRIED = "not checked"

Mutant = tuple[str, str, list[str]]
"""Name, what became of it, and the lines that differ."""

# Text for people: tests look for the path and the remedy in it, not for each word.
WORDING = (
    r'^\s+f?"',
    r'^\s*(message|reason|remedy|fault|wrong) = f?"',
    r"_log\.",
    r'raise \w+\(f?"',
    r"with reported\(",
    r"^\s+self\._sync\(",
)

# A mutant that never ends is stopped soon: a test has thirty times what all of them took together
# otherwise.
CONFIGURATION = """
[tool.mutmut]
source_paths = ["interpal/"]
only_mutate = {modules}
also_copy = ["tests"]
do_not_mutate_patterns = {wording}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-x", "-q", "-p", "no:cacheprovider", "-p", "quick_first", "--timeout=60"]
timeout_multiplier = 4.0
timeout_constant = 5.0
"""

# mutmut names each test that it wants, in no order. Whole files are collected sooner than a
# thousand names; and what fails fails sooner where the quick tests come first.
QUICK_FIRST = """
import json
import os

import pytest

WANTED = set()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    WANTED.clear()
    WANTED.update(name for name in config.args if "::" in name)
    config.args[:] = sorted({name.partition("::")[0] for name in config.args})


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if WANTED:
        items[:] = [item for item in items if item.nodeid in WANTED]
    if os.path.exists("mutmut-stats.json"):
        with open("mutmut-stats.json") as file:
            took = json.load(file)["duration_by_test"]
        items.sort(key=lambda item: took.get(item.nodeid, 0.0))
"""

# Every mutant as a line of JSON: its name, what became of it, and the lines that differ.
SHOW = """
import json
from mutmut.__main__ import *
for path in walk_mutatable_files():
    data = SourceFileMutationData(path=path)
    data.load()
    for name, code in data.exit_code_by_key.items():
        status = status_by_exit_code[code]
        lines = []
        if status != "killed":
            diff = get_diff_for_mutant(name, path=path).splitlines()
            lines = [line[0] + line[1:].strip() for line in diff
                     if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        print(json.dumps([name, status, lines]))
"""


def run(*, full: bool) -> Iterator[Row]:
    if not full:
        yield Row("P", "mutants", 0, "in a full run only: they take a quarter of an hour and more")
        return
    with scratch(on_disk=True) as place:
        libraries, tree = os.path.join(place, "libraries"), os.path.join(place, "tree")
        if importlib.util.find_spec("mutmut") is None:
            install("mutation", libraries)
        _copy(tree)
        os.makedirs(libraries, exist_ok=True)
        with open(os.path.join(libraries, "quick_first.py"), "w", encoding="utf-8") as file:
            file.write(QUICK_FIRST)
        mutants = mutate(tree, libraries)
        mutants = [_again(mutant, tree, libraries) for mutant in mutants]
    yield from judged(mutants)


def judged(mutants: list[Mutant]) -> Iterator[Row]:
    """A row for each module, and one, lettered S, for each kind of survivor.

    AssertionError where one survives that nothing explains.
    """
    alive = [
        (_place(name), _change(lines))
        for name, status, lines in mutants
        if status not in ("killed", NOT_TRIED)
    ]
    kinds = {one: _kind(*one) for one in alive}
    unexplained = [f"{where}: {change}" for (where, change), kind in kinds.items() if kind is None]
    assert not unexplained, "unexplained survivors:\n" + "\n".join(unexplained)
    for module in (path.rpartition("/")[2] for path in MODULES):
        made = [status for name, status, _ in mutants if _place(name).startswith(f"{module}.")]
        left = made.count(NOT_TRIED)
        survive = sum(where.startswith(f"{module}.") for where, _ in alive)
        tried = len(made) - left
        yield Row(
            "P",
            f"mutants of {module}.py",
            tried,
            f"{tried - survive:,} noticed by a test, {survive} survive, explained below"
            + f"; {left:,} more were not tried in the time" * bool(left),
        )
    counts = Counter(kinds[one] for one in alive)
    for survivor in SURVIVORS:
        if counts[survivor]:
            yield Row("S", survivor.what, counts[survivor], survivor.reason)


def _kind(where: str, change: str) -> Survivor | None:
    return next((survivor for survivor in SURVIVORS if survivor.explains(where, change)), None)


def mutate(tree: str, libraries: str) -> list[Mutant]:
    """Run mutmut in *tree*; name, status and changed lines of every mutant."""
    environment = _environment(libraries)
    command = [_python(), "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)]
    limit = float(os.environ.get("MUTATION_SECONDS", LONGEST))
    output = os.path.join(tree, "mutmut.log")
    with (
        open(output, "wb") as log,
        subprocess.Popen(
            command, cwd=tree, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        with suppress(subprocess.TimeoutExpired):
            process.wait(limit)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers with it
    if process.returncode > 0:
        with open(output, errors="replace", encoding="utf-8") as log_again:
            raise RuntimeError(f"mutmut failed: {log_again.read()[-2000:]}")
    shown = subprocess.run(
        [_python(), "-c", SHOW],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    mutants = [tuple(json.loads(line)) for line in shown.stdout.splitlines()]
    assert mutants, "mutmut made no mutants"
    return mutants


def _again(mutant: Mutant, tree: str, libraries: str) -> Mutant:
    """A survivor once more, with the tests that work in child processes.

    mutmut runs the tests that it has seen to reach a function, and does not see into children.
    """
    name, status, lines = mutant
    if status in ("killed", NOT_TRIED) or not name.startswith(
        "interpal.vault.files.private_files."
    ):
        return mutant
    done = subprocess.run(
        [_python(), "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *WITH_CHILDREN],
        cwd=os.path.join(tree, "mutants"),
        env={**_environment(libraries), "MUTANT_UNDER_TEST": name},
        capture_output=True,
        check=False,
    )
    return name, status if done.returncode == 0 else "killed", lines


def _environment(libraries: str) -> dict[str, str]:
    site = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": ":".join([libraries, *site])}


def _python() -> str:
    # Not this environment's own: its editable install leads back to the original.
    return os.path.realpath(sys.executable)


def _copy(tree: str) -> None:
    """What the tests of the format and of private files need of this tree."""
    os.mkdir(tree)
    kept = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "interpal", os.path.join(tree, "interpal"), ignore=kept)
    os.mkdir(os.path.join(tree, "tests"))
    shutil.copy(ROOT / "tests/__init__.py", os.path.join(tree, "tests"))
    for name in ("files", "format", "vectors", "docs"):
        shutil.copytree(ROOT / "tests" / name, os.path.join(tree, "tests", name), ignore=kept)
    with open(ROOT / "pyproject.toml", encoding="utf-8") as file:
        text = file.read()
    settings = CONFIGURATION.format(
        modules=json.dumps([f"interpal/vault/{name}.py" for name in MODULES]),
        wording=json.dumps(list(WORDING)),
        tests=json.dumps(list(TESTS)),
    )
    with open(os.path.join(tree, "pyproject.toml"), "w", encoding="utf-8") as file:
        file.write(text + settings)
    shutil.copy(ROOT / "README.md", tree)


def _place(name: str) -> str:
    """Module and function of a mutant: `private_files.Folder._write`."""
    where = name.removeprefix("interpal.vault.").partition(".")[2].rpartition("__mutmut_")[0]
    return where.replace("x\u01c1", "").replace(".x_", ".").replace("\u01c1", ".")


def _change(lines: list[str]) -> str:
    """What a mutant changes: `old => new`."""
    old = " ".join(line[1:] for line in lines if line.startswith("-"))
    new = " ".join(line[1:] for line in lines if line.startswith("+"))
    return f"{old} => {new}"
