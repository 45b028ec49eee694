"""P, the third generator: the source is changed in small ways, and a test has to notice each.

mutmut does it, in a copy of the tree, over the format, the key slots and `files.py`, with the
tests of `tests/format` and `tests/files`. The wording of messages is left alone. What survives
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
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reliability import Row
from tests.reliability.children import scratch
from tests.reliability.fuzzing import install
from tests.reliability.survivors import SURVIVORS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = ("jwe", "fields", "slots", "envelope", "payload", "record", "files")
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

CONFIGURATION = """
[tool.mutmut]
source_paths = ["interpal/"]
only_mutate = {modules}
also_copy = ["tests"]
do_not_mutate_patterns = {wording}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-x", "-q", "-p", "no:cacheprovider", "--timeout=60"]
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
        yield Row("P", "mutants", 0, "in a full run only: they take the better part of an hour")
        return
    with scratch(on_disk=True) as place:
        libraries, tree = os.path.join(place, "libraries"), os.path.join(place, "tree")
        if importlib.util.find_spec("mutmut") is None:
            install("mutmut", libraries)
        _copy(tree)
        mutants = mutate(tree, libraries)
        mutants = [_again(mutant, tree, libraries) for mutant in mutants]
    yield judged(mutants)


def judged(mutants: list[Mutant]) -> Row:
    """The row for *mutants*. AssertionError where one survives that nothing explains."""
    tried = [mutant for mutant in mutants if mutant[1] != NOT_TRIED]
    alive = [(_place(name), _change(lines)) for name, status, lines in tried if status != "killed"]
    unexplained = [
        f"{where}: {change}"
        for where, change in alive
        if not any(survivor.explains(where, change) for survivor in SURVIVORS)
    ]
    assert not unexplained, "unexplained survivors:\n" + "\n".join(unexplained)
    left = f"; {len(mutants) - len(tried):,} more were not tried in the time" * (tried != mutants)
    return Row(
        "P",
        f"mutants of {', '.join(f'{name}.py' for name in MODULES)}",
        len(tried),
        f"{len(tried) - len(alive):,} noticed by a test, {len(alive)} survive, each of a kind that "
        f"is explained below{left}",
    )


def mutate(tree: str, libraries: str) -> list[Mutant]:
    """Run mutmut in *tree*; name, status and changed lines of every mutant."""
    environment = _environment(libraries)
    command = [_python(), "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)]
    limit = float(os.environ.get("MUTATION_SECONDS", LONGEST))
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(limit)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers with it
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
    if status in ("killed", NOT_TRIED) or not name.startswith("interpal.vault.files."):
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
    """Module and function of a mutant: `files.Folder._write`."""
    where = name.removeprefix("interpal.vault.").rpartition("__mutmut_")[0]
    return where.replace("x\u01c1", "").replace(".x_", ".").replace("\u01c1", ".")


def _change(lines: list[str]) -> str:
    """What a mutant changes: `old => new`."""
    old = " ".join(line[1:] for line in lines if line.startswith("-"))
    new = " ".join(line[1:] for line in lines if line.startswith("+"))
    return f"{old} => {new}"
