"""Every method of the managers of interpal 1.2.0, on both clients, against a real server."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient, InterpalClient
from interpal.api import calls
from interpal.api.endpoint import ROUTES
from interpal.sandbox import Sandbox
from interpal.sandbox.site import ROUTES as SERVED
from tests.endpoints.managers import ALL, Case, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

for _module, _ in calls.TOPICS:
    calls.load(_module, "Topic")


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts={"maple_ink": "secret"}) as sandbox:
        yield sandbox


@pytest.fixture
def world(sandbox: Sandbox, tmp_path: Path) -> World:
    """What the calls are about: made by a client of its own."""
    file = tmp_path / "sunset.jpg"
    file.write_bytes(os.urandom(3000))
    with client_of(sandbox) as client:
        me, user = client.get_self().id, client.search_users(username="pedro_k")[0].id
        thread = client.get_user_thread(user)
        post = client.create_post("Who writes letters?")
        client.block_user(user)
        client.bookmark_user(user)
        client.like_content(post.id, "post")
        client.register_push_token("device")
        return World(
            me=me,
            user=user,
            thread=thread.id,
            message=client.send_message(thread.id, "Hallo").id,
            photo=client.upload_photo(str(file)).id,
            album=client.create_album("Letters").id,
            upload=client.upload_photo_async(str(file)).token or "",
            post=post.id,
            comment=client.create_comment(post.id, "I do").id,
            trip=client.create_trip("Bergen", "2026-12-24").id,
            notice=client.get_notifications()[0].id,
            file=str(file),
        )


def client_of(sandbox: Sandbox) -> InterpalClient:
    return InterpalClient("maple_ink", "secret", auto_login=True, base_url=sandbox.base_url)


def call(sandbox: Sandbox, kind: str, name: str, arguments: tuple[Any, ...], options: Any) -> Any:
    """Call `manager.method`, or `method`, of a client."""

    def find(client: Any) -> Any:
        for part in name.split("."):
            client = getattr(client, part)
        return client

    async def awaited() -> Any:
        async with AsyncInterpalClient(
            "maple_ink", "secret", auto_login=True, base_url=sandbox.base_url
        ) as client:
            return await find(client)(*arguments, **options)

    if kind == "async":
        return asyncio.run(awaited())
    with client_of(sandbox) as client:
        return find(client)(*arguments, **options)


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.name} {case.request}")
def test_each_method_of_a_manager_makes_its_request(
    sandbox: Sandbox, world: World, kind: str, case: Case
) -> None:
    path = re.sub(r"\{\w+\}", r"([^/]+)", case.request.partition(" ")[2])
    before = sandbox.stats()["requests"]
    reply = call(sandbox, kind, case.name, case.arguments(world), case.options)
    after = sandbox.stats()["requests"]
    asked = [p for p in after if after[p] > before.get(p, 0) and re.fullmatch(path, p)]
    assert asked, f"{case.name} did not ask at {path}"
    assert reply is None or isinstance(reply, (dict, list, int))


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_client_has_each_under_its_own_name_too(case: Case) -> None:
    manager, _, name = case.name.partition(".")
    found = getattr(InterpalClient, name)
    assert found.__doc__
    if case.name != "posts.get_feed":
        module, owner = calls.MANAGERS[manager]
        method = getattr(calls.load(module, owner), name)
        assert inspect.unwrap(method) is inspect.unwrap(found)


def test_1_2_0_has_80_methods_and_69_requests_and_all_are_declared_and_served() -> None:
    def shape(request: str) -> str:
        return re.sub(r"\{\w+\}", "{}", request)

    requests = {shape(case.request) for case in ALL}
    assert len({case.name for case in ALL}) == 80
    assert len(requests) == 69
    declared = [shape(f"{route.method} {route.path}") for route in ROUTES]
    assert len(declared) == len(set(declared)), "a request is declared twice"
    assert set(declared) == requests
    served = {shape(f"{method} {path}") for method, path in SERVED}
    # It is asked for as that of any user.
    served.add("GET /v1/user/self/trips")
    assert requests <= served


def test_the_table_of_the_calls_is_what_the_modules_declare() -> None:
    for (module, name), names in calls.TOPICS.items():
        declared = [n for n in vars(calls.load(module, name)) if not n.startswith("_")]
        assert sorted(names.split()) == sorted(declared), module
    everything = [name for names in calls.TOPICS.values() for name in names.split()]
    assert len(everything) == len(set(everything))
    makers = {name for route in ROUTES for name in route.methods}
    assert makers >= {case.name.partition(".")[2] for case in ALL} - {
        "get_friends",
        "send_photo_message",
    }
