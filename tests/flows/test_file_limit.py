"""A limit on the size of files, as `ulimit -f` sets one, costs the save and not the session."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import SELF, AsyncDriver, Driver, Place, SyncDriver

if TYPE_CHECKING:
    from interpal.sandbox import Sandbox


def limited() -> None:
    kind = sys.argv[1]
    folder, base_url, key = Path(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Half a file of byte code would be left for whoever imports it next.
    sys.dont_write_bytecode = True
    driver: Driver = SyncDriver() if kind == "sync" else AsyncDriver()
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    told: list[str] = []
    client = driver.open(
        "maple_ink",
        "secret",
        auto_login=True,
        persist_session=True,
        session_file=folder / "v.json",
        vault_key=key,
        base_url=base_url,
        on_event=lambda event: told.append(event.name),
    )
    assert driver.run(client, "get_self")["username"] == "maple_ink"
    assert not client.persisted
    assert told.count("save_failed") >= 1
    driver.end()
    print("fine")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_limit_on_the_size_of_files_costs_the_save_alone(
    kind: str, tmp_path: Path, site: Sandbox
) -> None:
    place = Place(tmp_path / "p", site)
    arguments = [kind, str(place.folder), site.base_url, place.key.hex()]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.flows.test_file_limit import limited; limited()",
            *arguments,
        ],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "fine", done.stderr
    assert not place.path.exists()
    assert [path.name for path in place.folder.iterdir() if path.suffix == ".tmp"] == []
    assert place.requests(SELF) == 1
    assert place.logins == 1
