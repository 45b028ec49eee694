"""`requirements.lock` has what pyproject.toml declares, each file of it with its hash."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging import lock
from tests.packaging.environment import DEVELOPMENT, OLDEST, Environment, Pin, read_lock
from tests.packaging.environment import LOCK as FILE

if TYPE_CHECKING:
    from pathlib import Path

LOCK = read_lock()
EXTRAS, GROUPS = lock.declared()
DECLARED = {**EXTRAS, **GROUPS}
PYTHONS = ("3.10.0", "3.11.7", "3.12.1", "3.13.0", "3.14.0")


def requirement_of(pin: Pin) -> Requirement:
    return Requirement(re.split(r"\s+\\|\s+--hash", pin.text.replace("\n", " "), maxsplit=1)[0])


def pinned(pins: tuple[Pin, ...] | list[Pin], python: str) -> dict[str, str]:
    """The version of each package that a Python gets on Linux."""
    found: dict[str, str] = {}
    here = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    here |= {"sys_platform": "linux", "platform_system": "Linux", "implementation_name": "cpython"}
    for pin in pins:
        requirement = requirement_of(pin)
        if requirement.marker is None or requirement.marker.evaluate(dict(here)):
            ((_, version),) = [(part.operator, part.version) for part in requirement.specifier]
            assert found.setdefault(pin.name, version) == version, f"{pin.name} for {python}"
    return found


@pytest.mark.parametrize("pin", [*LOCK.pins, *LOCK.oldest], ids=lambda pin: pin.name)
def test_every_version_is_exact_and_has_hashes(pin: Pin) -> None:
    assert [part.operator for part in requirement_of(pin).specifier] == ["=="]
    assert re.search(r"--hash=sha256:[0-9a-f]{64}", pin.text)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("part", DECLARED)
def test_every_part_has_what_is_declared_for_it(part: str, python: str) -> None:
    versions = pinned(LOCK.of([part]), python)
    for text in DECLARED[part]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            name = canonicalize_name(requirement.name)
            assert requirement.specifier.contains(versions[name]), f"run `make lock`: {text}"
    assert set(LOCK.parts) == set(DECLARED), "run `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_oldest_versions_are_the_lowest_that_are_declared(python: str) -> None:
    versions = pinned(LOCK.oldest, python)
    for part in ("run", *lock.ALSO_OLDEST):
        for text in EXTRAS[part]:
            requirement = Requirement(text)
            (bound,) = requirement.specifier
            assert bound.operator == ">="
            lowest = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(lowest)
            assert lowest.startswith(bound.version), f"run `make lock`: {text}, and not {lowest}"


@pytest.mark.parametrize("python", PYTHONS)
def test_beside_the_oldest_versions_is_all_that_development_needs(python: str) -> None:
    newest, oldest = (pinned(LOCK.of(EXTRAS, oldest=old), python) for old in (False, True))
    assert newest.keys() <= oldest.keys()


def test_what_runs_needs_none_of_the_tools_of_development() -> None:
    run = {pin.name for pin in LOCK.of(["run"])}
    assert not run & {
        "mypy",
        "pyright",
        "pytest",
        "ruff",
        "mkdocs",
        "pip-audit",
        "keyring",
        "redis",
    }
    assert DEVELOPMENT in LOCK.parts
    assert len(run) < 30


def test_the_oldest_are_comments_to_those_who_install_the_file() -> None:
    text = FILE.read_text("utf-8")
    assert OLDEST.startswith("#")
    assert len(re.findall(r"^aiohttp==", text, re.MULTILINE)) == 1


@pytest.mark.long
def test_a_file_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    # A package that needs nothing.
    (pin,) = [pin for pin in LOCK.pins if pin.name == "mdurl"]
    other = Pin(pin.name, re.sub(r"[0-9a-f]{64}", "0" * 64, pin.text))
    environment = Environment(tmp_path / "env")
    with pytest.raises(subprocess.CalledProcessError):
        environment.install_pins([other])
    environment.install_pins([pin])
    subprocess.run([environment.python, "-c", "import mdurl"], check=True)


def test_an_environment_that_does_not_run_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/nowhere/python")
    (tmp_path / "left over").touch()
    environment = Environment(tmp_path, uv=["uv"])
    assert not (tmp_path / "left over").exists()
    assert os.path.samefile(os.path.realpath(environment.python), os.path.realpath(sys.executable))
