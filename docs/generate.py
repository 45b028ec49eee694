"""Write the pages that are made from the code: `python -m docs.generate`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from benchmarks.guesses import PROFILES
from benchmarks.guesses import RESULT as GUESSES
from docs.core import with_core
from docs.differences import difference_table
from interpal.api import calls, media, messages, social
from interpal.api.endpoint import ROUTES
from interpal.vault.health import guessing

HERE = Path(__file__).parent

ENDPOINTS_PAGE = """\
# API calls

Both clients have these calls, with the same names and arguments: `InterpalClient` returns the
reply, and a call of `AsyncInterpalClient` is awaited. They are also available under the managers
of interpal 1.x: `client.messages.get_threads()` is `client.get_threads()`. They return
[replies](replies.md): dicts whose members are attributes too. For anything else, use
`client.request(method, path, …)`. The example logs in to [the sandbox](index.md#quick-start).

```python
from interpal import InterpalClient

client = InterpalClient("maple_ink", "correct horse", auto_login=True)
thread = client.get_threads(limit=1)[0]
message = client.send_message(thread.id, "Thank you for the postcard!")
print(message.message)
client.close()
```

There is no official description of the site's API. What is known of it comes from public
clients, and the tables say how certain it is:

* *independent clients agree*: the best evidence there is;
* *clients of one family agree*: one of them is a port of the other;
* *one client*: only one client shows it;
* *one client, and there are reasons to doubt it*: its own documents, or another source, say
  something else;
* *a guess of one client*: nothing shows that it ever worked.

{tables}

## Where sources disagree

{notes}
* `logout()` sends nothing: no source has a call under `/v1` that ends a session. The web page
  has the link `/app/auth/logout`.
* `Retry-After`: the site names it among the headers that a page may read, so it is probably
  sent with a 429. Where it is missing, `RateLimitError.retry_after` is 60.

## Photos

`upload_photo` takes a path, bytes, or a file open for reading bytes. The file is streamed, and
`on_progress` is called with the bytes sent so far and in all. The site then processes the photo;
the call asks for its status until it is done.

```python
client = InterpalClient("maple_ink", "correct horse", auto_login=True)
photo = client.upload_photo(
    b"\\xff\\xd8 the bytes of a JPEG",
    caption="Fjord",
    on_progress=lambda sent, size: print(f"{{sent}} of {{size}} bytes"),
)
print(photo.caption, photo.width)
client.send_photo(client.get_threads()[0].id, photo.id)
client.send_photo_message(client.get_threads()[0].id, file_path=b"another")
client.close()
```

<!-- prints -->
```text
22 of 22 bytes
Fjord 1024
```

`send_photo_message(thread_id, image_url=…)` fetches the image first, without the session.
`upload_photo_async` does not wait; call `wait_for_upload(token)` later.
"""

TITLES = {
    "account": "The account, profiles, trips: `client.user`",
    "messages": "Conversations and messages: `client.messages`",
    "search": "People and posts: `client.search`",
    "media": "Photos and albums: `client.media`",
    "social": "Friends, blocks, bookmarks, likes: `client.social`",
    "notifications": "Notifications and views: `client.notifications`, `client.realtime`",
    "posts": "Posts and comments: `client.posts`",
}

STATES = "<!-- made from interpal/sessions/state.py -->\n```mermaid\n"


def endpoint_tables() -> str:
    """The tables of the calls, as Markdown."""
    parts: list[str] = []
    for (module, name), names in calls.TOPICS.items():
        owner = calls.load(module, name)
        parts += [
            f"## {TITLES[module]}",
            "",
            "| method of the client | request | what it gives | how surely known |",
            "|---|---|---|---|",
        ]
        for method in names.split():
            routes = [route for route in ROUTES if method in route.methods] or MADE_OF[method]
            requests = "<br>".join(f"`{route.method} {route.path}`" for route in routes)
            summary = (getattr(owner, method).__doc__ or "").partition("\n")[0]
            known = "<br>".join(dict.fromkeys(route.known_of(method) for route in routes))
            call = f"{method}({arguments_of(getattr(owner, method))})"
            parts.append(f"| `{call}` | {requests} | {summary} | {known} |")
        parts.append("")
    return "\n".join(parts).rstrip("\n")


def arguments_of(declared: object) -> str:
    """The arguments of a call with their defaults, as it is called."""
    signature = inspect.signature(getattr(declared, "__wrapped__", declared))  # type: ignore[arg-type]
    given = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name not in ("self", "context")
    ]
    return str(signature.replace(parameters=given, return_annotation=signature.empty))[1:-1]


def endpoint_notes() -> str:
    """What other sources say, as a Markdown list."""
    routes = sorted(ROUTES, key=lambda route: (route.path, route.method))
    return "\n".join(f"* `{r.method} {r.path}`: {r.note}." for r in routes if r.note)


# Calls that make several requests.
MADE_OF = {
    "get_friends": [social.FRIENDS, social.USER_FRIENDS],
    "wait_for_upload": [media.UPLOAD_STATUS],
    "send_photo_message": [media.UPLOAD, media.UPLOAD_STATUS, messages.MESSAGE],
}


def endpoints_page() -> str:
    """The page of the calls."""
    return ENDPOINTS_PAGE.format(tables=endpoint_tables(), notes=endpoint_notes())


def with_guesses(page: str) -> str:
    """The page on passphrases with the table of what was measured, and that of the bits."""
    found = json.loads(GUESSES.read_text(encoding="utf-8"))
    machine = found["machine"]
    speeds = [
        (
            f"Guesses in a second on {machine['cores']} cores of an {machine['processor']}, "
            f"all busy, argon2-cffi {found['argon2-cffi']}, by processor time:"
        ),
        "",
        "| profile | memory, passes, lanes | one core | all cores | GPU |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    bits = [
        "| profile | bits for electricity | bits for rent | **bits to have** | words to have |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, kdf in PROFILES.items():
        rate = found["guesses_per_core_second"][name]
        settings = f"{kdf.memory_kib // 1024} MiB, {kdf.passes}, {kdf.lanes}"
        both = f"{rate * found['cores']:.1f}"
        speeds.append(f"| {name} | {settings} | {rate:.1f} | {both} | not measured |")
        own, rented = (guessing.bits_bought(kdf, rented=which) for which in (False, True))
        bits.append(
            f"| {name} | {own:.1f} | {rented:.1f} | **{guessing.bits_needed(kdf)}** "
            f"| {guessing.words_needed(kdf)} |"
        )
    return _between(_between(page, "guesses", speeds), "bits", bits)


def _between(page: str, name: str, lines: list[str]) -> str:
    """The page with these lines between the comments of that name."""
    before, mark, rest = page.partition(f"<!-- {name}: ")
    line, _, rest = rest.partition("\n")
    end = f"<!-- end of {name} -->"
    _, found, after = rest.partition(end)
    if not mark or not found:
        raise ValueError(f"the page has no comments for {name}")
    return "\n".join([f"{before}{mark}{line}", "", *lines, "", f"{end}{after}"])


def with_differences(page: str) -> str:
    """The page of the migration with the table of what is different."""
    before, mark, rest = page.partition("<!-- differences -->\n")
    _, end, after = rest.partition("<!-- end of differences -->")
    return f"{before}{mark}\n{difference_table()}\n\n{end}{after}"


def main() -> None:
    """Write the pages."""
    architecture = HERE / "architecture.md"
    architecture.write_text(with_core(architecture.read_text(encoding="utf-8")), encoding="utf-8")
    (HERE / "endpoints.md").write_text(endpoints_page(), encoding="utf-8")
    passphrases = HERE / "passphrases.md"
    page = passphrases.read_text(encoding="utf-8")
    passphrases.write_text(with_guesses(page), encoding="utf-8")
    migrating = HERE / "migrating.md"
    page = migrating.read_text(encoding="utf-8")
    migrating.write_text(with_differences(page), encoding="utf-8")


if __name__ == "__main__":
    main()
