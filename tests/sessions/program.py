"""A process of its own: `python -m tests.sessions.program LIBRARY URL VAULT KEY WHAT`.

`page` asks for the members' page; `NAME:COUNT` sets so many cookies, one after the other.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from interpal.vault import Vault
from tests.sessions.clients import LIBRARIES


def main() -> None:
    library, url, path, key, what = sys.argv[1:]
    driver = LIBRARIES[library]()
    site: Any = SimpleNamespace(url=url)
    with Vault.open(path, key=key) as vault:
        client = driver.keep("forum", vault, login=driver.login(site))
        sys.stdin.readline()
        if what == "page":
            print(*driver.get(client, f"{url}/page"))
        else:
            name, _, count = what.partition(":")
            for number in range(int(count)):
                driver.get(client, f"{url}/theme?name={name}{number}&value=v{number}")
        driver.end()


if __name__ == "__main__":
    main()
