"""The libraries that a session can be kept for, driven in the same way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import requests

from interpal.sessions import keep, renew

if TYPE_CHECKING:
    from tests.sessions.forum import Forum

PASSWORD = "correct horse"
KEY = bytes(range(32))


class Library:
    """One client after the other of one library."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._open: list[Any] = []

    def client(self) -> Any:
        raise NotImplementedError

    def login(self, forum: Forum, password: str = PASSWORD) -> Any:
        raise NotImplementedError

    def is_valid(self, forum: Forum) -> Any:
        raise NotImplementedError

    def send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        raise NotImplementedError

    def keep(self, *arguments: Any, **settings: Any) -> Any:
        client = keep(self.client(), *arguments, **settings)
        self._open.append(client)
        return client

    def get(self, client: Any, url: str) -> tuple[int, str]:
        return self.send(client, "GET", url)

    def renew(self, client: Any, **settings: Any) -> None:
        renew(client, **settings)

    def close(self, client: Any) -> None:
        client.close()

    def end(self) -> None:
        for client in self._open:
            self.close(client)
        self.loop.close()


class Requests(Library):
    def client(self) -> requests.Session:
        return requests.Session()

    def login(self, forum: Forum, password: str = PASSWORD) -> Any:
        def login(client: requests.Session) -> None:
            data = {"user": "ann", "password": password}
            client.post(f"{forum.url}/login", data=data).raise_for_status()

        return login

    def is_valid(self, forum: Forum) -> Any:
        return lambda client: client.get(f"{forum.url}/me").status_code == 200

    def send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        reply = client.request(method, url, **kwargs)
        return reply.status_code, reply.text


class Httpx(Requests):
    def client(self) -> Any:
        return httpx.Client(trust_env=False)

    def send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        if "data" in kwargs and not isinstance(kwargs["data"], dict):
            kwargs["content"] = kwargs.pop("data")
        return super().send(client, method, url, **kwargs)


class HttpxAsync(Library):
    def client(self) -> Any:
        return httpx.AsyncClient(trust_env=False)

    def login(self, forum: Forum, password: str = PASSWORD) -> Any:
        async def login(client: httpx.AsyncClient) -> None:
            data = {"user": "ann", "password": password}
            (await client.post(f"{forum.url}/login", data=data)).raise_for_status()

        return login

    def is_valid(self, forum: Forum) -> Any:
        async def is_valid(client: httpx.AsyncClient) -> bool:
            return (await client.get(f"{forum.url}/me")).status_code == 200

        return is_valid

    async def _send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        if "data" in kwargs and not isinstance(kwargs["data"], dict):
            kwargs["content"] = kwargs.pop("data")
        reply = await client.request(method, url, **kwargs)
        return reply.status_code, reply.text

    def send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        return self.loop.run_until_complete(self._send(client, method, url, **kwargs))

    def renew(self, client: Any, **settings: Any) -> None:
        self.loop.run_until_complete(renew(client, **settings))

    def close(self, client: Any) -> None:
        self.loop.run_until_complete(client.aclose())


class Aiohttp(HttpxAsync):
    def client(self) -> Any:
        async def make() -> aiohttp.ClientSession:
            return aiohttp.ClientSession()

        return self.loop.run_until_complete(make())

    def login(self, forum: Forum, password: str = PASSWORD) -> Any:
        async def login(client: aiohttp.ClientSession) -> None:
            data = {"user": "ann", "password": password}
            async with client.post(f"{forum.url}/login", data=data) as reply:
                reply.raise_for_status()

        return login

    def is_valid(self, forum: Forum) -> Any:
        async def is_valid(client: aiohttp.ClientSession) -> bool:
            async with client.get(f"{forum.url}/me") as reply:
                return reply.status == 200

        return is_valid

    async def _send(self, client: Any, method: str, url: str, **kwargs: Any) -> tuple[int, str]:
        async with client.request(method, url, **kwargs) as reply:
            return reply.status, await reply.text()

    def close(self, client: Any) -> None:
        self.loop.run_until_complete(client.close())


LIBRARIES: dict[str, type[Library]] = {
    "requests": Requests,
    "httpx": Httpx,
    "httpx-async": HttpxAsync,
    "aiohttp": Aiohttp,
}
