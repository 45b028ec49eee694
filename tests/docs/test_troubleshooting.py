"""Each message of docs/troubleshooting.md is what is printed, in the situation it stands for."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox
from interpal.transport.environment import CA_VARIABLES
from tests.docs.markdown import ROOT, blocks
from tests.docs.troubles import PASSWORD, SCENES, USER, Scene
from tests.files import may_mount

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SHOWN = {
    block.directives["scene"].strip(): block.text.strip()
    for block in blocks(PAGE)
    if "scene" in block.directives
}
# These need root: they mount, or give a file to another user.
FOR_ROOT = {
    *("not_saved", "mounted_file", "read_only"),
    *("folder_of_another", "vault_of_another", "key_file_open_to_others"),
}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name in [name for name in os.environ if name.startswith("INTERPALS_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "https_proxy", "no_proxy", "NO_PROXY", *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    # Not below a folder of pytest: what is doubtful about those is in no message.
    folder = tempfile.mkdtemp(prefix="trouble-", dir="/tmp")
    os.chmod(folder, 0o755)
    monkeypatch.setenv("HOME", f"{folder}/home")
    with Sandbox({USER: PASSWORD}) as site:
        yield Scene(Path(folder), site)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", [name for name in SCENES if may_mount() or name not in FOR_ROOT])
def test_the_message_is_the_one_that_is_printed(scene: Scene, name: str) -> None:
    assert scene.shown(SCENES[name](scene)) == SHOWN[name]


def test_every_message_of_the_page_is_brought_about() -> None:
    assert set(SHOWN) == set(SCENES)
    assert PAGE.count("```text") == len(SHOWN)


def test_each_message_has_its_cause_and_remedy_after_it() -> None:
    for part in PAGE.split("```text")[1:]:
        after = part.partition("```")[2].partition("#")[0]
        assert len(after.split()) > 5, part[:80]
