"""Write the pages that are made from the code: `python -m docs.generate`."""

from __future__ import annotations

from pathlib import Path

from docs.states import diagram
from interpal.api.endpoints import ENDPOINTS

HERE = Path(__file__).parent

ENDPOINTS_PAGE = """\
# Common API calls

Both clients have them, with the same names and arguments: `InterpalClient` returns the reply,
`AsyncInterpalClient` is awaited. Replies are plain dicts, typed for editors by
`interpal.api.replies`; members that are not known there are kept.

There is no official description of the site's API. What is known of it comes from public
clients, and the last column says how surely: *independent clients agree* is the best there is,
*clients of one family agree* means that one of them is a port of the other, and *one client*
that a single one shows it. Anything else is a call away: `client.request(method, path, …)`.

{table}

```python
from interpal import InterpalClient

client = InterpalClient("maple_ink", "correct horse", auto_login=True)
thread = client.get_threads(limit=1)[0]
message = client.send_message(thread["id"], "Thank you for the postcard!")
print(message["message"])
client.close()
```
"""


STATES = "<!-- made from interpal/sessions/state.py -->\n```mermaid\n"


def endpoint_table() -> str:
    """The table of endpoints, as Markdown."""
    rows = [
        "| method of the client | request | what it gives | how surely known |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| `{e.name}` | `{e.method} {e.path}` | {e.summary} | {e.known} |"
        for e in sorted(ENDPOINTS, key=lambda e: e.name)
    ]
    return "\n".join(rows)


def with_states(page: str) -> str:
    """The page *How it works* with the picture of the states as the code has them."""
    before, mark, rest = page.partition(
        "<!-- made from interpal/sessions/state.py -->\n```mermaid\n"
    )
    return before + mark + diagram() + "\n```" + rest.partition("\n```")[2]


def main() -> None:
    """Write the pages."""
    how = HERE / "how-it-works.md"
    how.write_text(with_states(how.read_text(encoding="utf-8")), encoding="utf-8")
    page = ENDPOINTS_PAGE.format(table=endpoint_table())
    (HERE / "endpoints.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
