"""What `login=`, `is_valid=` and hooks of the program raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sessions.clients import Aiohttp, Httpx, HttpxAsync, Library, Requests

if TYPE_CHECKING:
    from interpal.vault import Vault
    from tests.sessions.forum import Forum

SOON = 20.0


def is_async(library: Library) -> bool:
    return isinstance(library, HttpxAsync)


def as_hook(library: Library, work: Any) -> Any:
    """*work* as a function that *library* can call."""

    async def there(*arguments: Any) -> Any:
        return work(*arguments)

    return there if is_async(library) else work


# What they raise.


@pytest.mark.parametrize("where", ["login", "is_valid", "response"])
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, GeneratorExit, KeyError])
def test_what_a_function_of_the_program_raises_reaches_whoever_called(
    library: Library, forum: Forum, vault: Vault, where: str, kind: type[BaseException]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise kind("theirs")

    # Python makes another error of it in a coroutine (PEP 479).
    stops = is_async(library) and kind is StopIteration
    wanted: Any = RuntimeError if stops else kind
    settings: dict[str, Any] = {"login": library.login(forum)}
    if where != "response":
        settings[where] = as_hook(library, fail)
    client = library.keep("forum", vault, **settings)
    if where == "response":
        if isinstance(library, Aiohttp):
            return  # It has none.
        library.get(client, f"{forum.url}/page")
        if isinstance(library, Requests) and not isinstance(library, Httpx):
            client.hooks["response"] = fail
        else:
            client.event_hooks = {"response": [as_hook(library, fail)]}
    else:
        with pytest.raises(wanted):
            library.renew(client)
    with pytest.raises(wanted):
        library.get(client, f"{forum.url}/page")
