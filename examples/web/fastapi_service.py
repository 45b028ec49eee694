"""A web service that acts for many accounts, with FastAPI: `uvicorn fastapi_service:app`."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from interpal import (
    AsyncInterpalClient,
    AuthenticationError,
    NetworkError,
    RateLimitError,
)

# {"maple_ink": "correct horse", ...}: a file of mode 0600, or a secret that is mounted.
with open(os.environ["ACCOUNTS_FILE"]) as file:
    PASSWORDS: dict[str, str] = json.load(file)


class Clients:
    """One client for each account of this process, made when the account is first asked for."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._clients: dict[str, AsyncInterpalClient] = {}
        self._lock = asyncio.Lock()

    async def of(self, username: str) -> AsyncInterpalClient:
        if username not in PASSWORDS:
            raise HTTPException(404, "no such account")
        async with self._lock:
            if username not in self._clients:
                client = AsyncInterpalClient(
                    username,
                    PASSWORDS[username],
                    auto_login=True,
                    persist_session=True,
                    store="sqlite:accounts.db",
                )
                self._clients[username] = await self._stack.enter_async_context(client)
            return self._clients[username]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        app.state.clients = Clients(stack)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/accounts/{username}")
async def account(username: str, request: Request) -> dict[str, str]:
    client = await request.app.state.clients.of(username)
    profile = await client.get_self()
    return {"username": username, "name": profile["name"]}


@app.exception_handler(RateLimitError)
async def too_many(request: Request, error: RateLimitError) -> JSONResponse:
    headers = {"Retry-After": str(int(error.retry_after or 60))}
    return JSONResponse({"detail": "the site asks to wait"}, 503, headers)


@app.exception_handler(NetworkError)
async def unreachable(request: Request, error: NetworkError) -> JSONResponse:
    return JSONResponse({"detail": "the site cannot be reached"}, 503)


@app.exception_handler(AuthenticationError)
async def refused(request: Request, error: AuthenticationError) -> JSONResponse:
    return JSONResponse({"detail": "the site refuses this account's login"}, 502)
