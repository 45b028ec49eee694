"""Asks git about a file, without the settings of the repository that the file is in.

A repository's own configuration can make git run programs. So git gets an empty repository in
a temporary folder, and of the real one its index, its exclude file and its work tree: data alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import NamedTuple

_SECONDS = 10
_LONGEST_POINTER = 4096


class Repository(NamedTuple):
    """Where a work tree is, and its folder with the index; `common` is of all its work trees."""

    tree: str
    own: str
    common: str


def run_git(folder: str, arguments: list[str]) -> int | None:
    """The exit code of git in *folder*; None where there is no git, no repository or no answer."""
    found, program = _repository(folder), shutil.which("git")
    # A PATH with "." in it would start what lies in the folder.
    if found is None or program is None or not os.path.isabs(program):
        return None
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("INTERPALS_", "SESSION_VAULT_", "GIT_"))
    }
    with tempfile.TemporaryDirectory() as empty:
        try:
            _make_empty(empty, found)
        except OSError:
            return None
        environment["GIT_DIR"] = empty
        environment["GIT_WORK_TREE"] = found.tree
        environment["GIT_OPTIONAL_LOCKS"] = "0"
        try:
            done = subprocess.run(
                [program, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return done.returncode


def _repository(folder: str) -> Repository | None:
    """The repository that *folder* is in the work tree of, by the files that git looks for."""
    tree = os.path.realpath(folder)
    while True:
        own = _followed(os.path.join(tree, ".git"))
        if own is not None and os.path.isfile(os.path.join(own, "HEAD")):
            common = _pointer(os.path.join(own, "commondir"), "")
            return Repository(tree, own, os.path.join(own, common or ""))
        above = os.path.dirname(tree)
        if above == tree:
            return None
        tree = above


def _followed(path: str) -> str | None:
    """The folder at *path*, or the one that a file there names (gitrepository-layout(5))."""
    if os.path.isdir(path):
        return path
    named = _pointer(path, "gitdir: ")
    return None if named is None else os.path.join(os.path.dirname(path), named)


def _pointer(path: str, prefix: str) -> str | None:
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_LONGEST_POINTER).rstrip("\r\n")
    except OSError:
        return None
    return text.removeprefix(prefix) if text.startswith(prefix) else None


def _make_empty(folder: str, found: Repository) -> None:
    """An empty repository in *folder*, with the index and the exclude file of the real one."""
    for name in ("objects", "refs", "info"):
        os.mkdir(os.path.join(folder, name))
    with open(os.path.join(folder, "HEAD"), "w", encoding="ascii") as head:
        head.write("ref: refs/heads/main\n")
    index = os.path.join(found.own, "index")
    if os.path.isfile(index):
        shutil.copyfile(index, os.path.join(folder, "index"))
    exclude = os.path.join(found.common, "info", "exclude")
    if os.path.isfile(exclude):
        shutil.copyfile(exclude, os.path.join(folder, "info", "exclude"))
