"""Does what it is told with one of the libraries: one JSON object a line, in and out."""

from __future__ import annotations

import base64
import importlib
import json
import sys
import warnings
from typing import Any

from vault import derive, open_vault


def do(library: Any, asked: dict[str, Any]) -> Any:
    key = base64.b64decode(asked.get("key", ""))
    match asked["do"]:
        case "derive":
            return base64.b64encode(derive(asked["passphrase"], asked["kdf"])).decode()
        case "vault":
            secret = asked.get("passphrase", key)
            return open_vault(asked["text"], secret, library.open_jwe, asked["slot"])[1]
        case "as_it_is" | "open_jwe" as name:
            return getattr(library, name)(asked["text"], key).decode()
        case name:
            seal = getattr(library, name)
            return seal(asked["header"], asked["plaintext"].encode(), key)


def main() -> None:
    warnings.simplefilter("ignore")
    library = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = {"answer": do(library, json.loads(line))}
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its answer)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
