"""The wheel and the sdist: what is in them, and that a clean environment runs what they install."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

from interpal.sandbox import Sandbox
from tests.packaging.environment import read_lock

ROOT = Path(__file__).parents[2]
NEWEST = os.environ.get("TESTS_VERSIONS") == "newest"
SMOKE = Path(__file__).with_name("smoke.py")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy without this machine's files."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    subprocess.run([*build, "--outdir", str(out), str(source)], check=True)
    return out


def wheel_of(distributions: Path) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return wheel


def environment(
    folder: Path, wheel: Path, *parts: str, oldest: bool = False, tools: tuple[str, ...] = ()
) -> Path:
    """The interpreter of a new virtual environment: the wheel, and locked versions beside it.

    pip then judges whether they are all that the wheel asks for. `make latest` lets pip choose
    them, and takes of the *parts* beside the wheel only these *tools*.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if NEWEST and not oldest:
        subprocess.run([*pip, "install", str(wheel), *tools], check=True)
    else:
        listed = folder / "requirements.txt"
        listed.write_text("\n".join(pin.text for pin in read_lock().of(parts, oldest=oldest)))
        command = [*pip, "install", "--no-deps", "--require-hashes", "--requirement", str(listed)]
        subprocess.run(command, check=True)
        subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    return python


def smoke(python: Path, folder: Path) -> str:
    shutil.copy(SMOKE, folder / "smoke.py")
    done = subprocess.run(
        [str(python), "-I", "smoke.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Path) -> None:
    names = zipfile.ZipFile(wheel_of(distributions)).namelist()
    tops = {name.split("/")[0] for name in names}
    shared = [name for name in names if name.startswith("interpal_vault-0.1.0.data/")]
    assert shared == ["interpal_vault-0.1.0.data/data/share/man/man1/interpal-vault.1"]
    assert tops == {"interpal", "interpal_vault-0.1.0.dist-info", "interpal_vault-0.1.0.data"}
    assert "interpal/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "test_" in name or name.endswith(".pyc")]


def test_every_link_of_the_page_on_pypi_leads_somewhere_from_there(distributions: Path) -> None:
    with zipfile.ZipFile(wheel_of(distributions)) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        page = wheel.read(name).decode()
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert len(links) > 20
    assert not [link for link in links if not link.startswith("https://")]


def test_the_sdist_holds_what_the_tests_need(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "Makefile",
        "requirements.lock",
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE",
    } <= names
    assert {"tests/test_layers.py", "docs/format.md", "examples/demo.py"} <= names


def test_the_metadata_is_what_an_index_accepts(distributions: Path) -> None:
    files = [str(path) for path in distributions.iterdir()]
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)


@pytest.mark.long
def test_the_wheel_works_in_a_clean_environment(distributions: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", wheel_of(distributions), "run")
    assert smoke(python, tmp_path) == "works 0.1.0\n"
    program = tmp_path / "env" / "bin" / "interpal-vault"
    helped = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert "inspect" in helped.stdout


@pytest.mark.long
def test_the_oldest_versions_that_are_declared_do_work(distributions: Path, tmp_path: Path) -> None:
    """`make oldest` runs every test with them."""
    python = environment(tmp_path / "env", wheel_of(distributions), oldest=True)
    assert smoke(python, tmp_path) == "works 0.1.0\n"
    versions = "import importlib.metadata as m; print(m.version('aiohttp'), m.version('redis'))"
    done = subprocess.run([python, "-c", versions], capture_output=True, text=True, check=True)
    assert done.stdout == f"{lowest('aiohttp')} {lowest('redis')}\n"


def lowest(name: str) -> str:
    """The lowest version of a dependency that pyproject.toml declares, as the index writes it."""
    (found,) = [pin for pin in read_lock().oldest if pin.name == name]
    return found.text.split()[0].partition("==")[2]


FROZEN = """
    import json, os, sys
    import keyring
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 1
        kept = {("bot", "vault"): os.environ["KEY"]}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

    keyring.set_keyring(InMemory())
    from interpal import InterpalClient

    store, base_url = sys.argv[1:]
    with InterpalClient(
        "maple_ink", "secret", auto_login=True, persist_session=True, store=store, base_url=base_url
    ) as client:
        print(json.dumps([getattr(sys, "frozen", False), client.get_self()["username"]]))
"""


@pytest.mark.long
def test_a_program_that_pyinstaller_freezes_resumes_with_a_key_from_the_keyring(
    distributions: Path, tmp_path: Path
) -> None:
    wheel = wheel_of(distributions)
    parts, tools = ("run", "keyring", "beside"), ("keyring", "pyinstaller")
    python = environment(tmp_path / "env", wheel, *parts, tools=tools)
    (tmp_path / "bot.py").write_text(textwrap.dedent(FROZEN))
    freeze = [str(python), "-I", "-m", "PyInstaller", "--noconfirm"]
    variables = {
        "HOME": str(tmp_path),
        "KEY": os.urandom(32).hex(),
        "INTERPALS_VAULT_KEYRING": "bot/vault",
    }
    with Sandbox({"maple_ink": "secret"}) as sandbox:
        for way, program in (("--onedir", "dist/bot/bot"), ("--onefile", "dist-of-one/bot")):
            folder = program.partition("/")[0]
            frozen = [*freeze, way, "--distpath", folder, "bot.py"]
            subprocess.run(frozen, cwd=tmp_path, check=True, capture_output=True)
            for store in ("file:v.json", "sqlite:v.db"):
                done = subprocess.run(
                    [tmp_path / program, store, sandbox.base_url],
                    cwd=tmp_path,
                    env=variables,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
                assert json.loads(done.stdout) == [True, "maple_ink"]
        assert sandbox.stats()["logins"] == {"maple_ink": 2}
