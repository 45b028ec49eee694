"""The HTTP side of the sandbox: requests and replies around a `Site`, faults and WebSockets.

Everything here runs in one event loop; the lock is shared with the threads that call the
controls, and is never held while waiting.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from interpal.sandbox.site import ROUTES, Call, Fault, Session, Site
from interpal.sandbox.sockets import Sockets
from interpal.sandbox.values import Json, RequestError

if TYPE_CHECKING:
    import threading

    from interpal._hidden import Hidden

COOKIE = "interpals_sessid"

# What answers with 201.
_CREATED = frozenset(
    f"/v1/{name}"
    for name in ("message", "trip", "photo", "album", "bookmark", "like", "post", "comment")
)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SandboxServer:
    """The routes of a `Site`; a login takes `login_delay` seconds."""

    def __init__(
        self,
        site: Site,
        lock: threading.Lock,
        control_token: Hidden[str],
        *,
        login_delay: float,
    ) -> None:
        self._site = site
        self._control_token = control_token
        self._lock = lock
        self._login_delay = login_delay
        self.sockets = Sockets(site, lock)

    def application(
        self, controls: Mapping[tuple[str, str], Callable[..., object]]
    ) -> web.Application:
        """Return the application; `controls` maps method and name to the test controls."""
        app = web.Application(middlewares=[self._edge], client_max_size=16 * 1024**2)
        app.router.add_post("/v1/token", self._log_in)
        app.router.add_get("/v1/ws", self._web_socket)
        for (method, path), action in ROUTES.items():
            app.router.add_route(method, path, self._signed_in(action))
        for (method, name), control in controls.items():
            app.router.add_route(method, f"/_sandbox/{name}", _controlled(control))
        app.on_shutdown.append(self._close_sockets)
        return app

    @web.middleware
    async def _edge(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        fault_of_caller = _stranger(request)
        if fault_of_caller is not None:
            return _error(403, fault_of_caller)
        if request.path.startswith("/_sandbox/"):
            if not self._may_control(request):
                reply = _error(401, "The controls want Authorization: Bearer and the token")
                reply.headers["WWW-Authenticate"] = "Bearer"
                return reply
            return await self._answer(request, handler)
        with self._lock:
            fault = self._site.arrive(request.path)
        if fault is None:
            return await self._answer(request, handler)
        if fault.after:
            usual = await self._answer(request, handler)
            return await self._fail(request, fault) or usual
        return await self._fail(request, fault) or await self._answer(request, handler)

    async def _answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RequestError as error:
            return _error(error.status, error.text)
        except web.HTTPException as error:
            # An ended session gets to know nothing but that, wherever it asks (rule 21).
            if COOKIE in request.cookies and request.path.startswith("/v1/"):
                try:
                    self._session(request)
                except RequestError as ended:
                    return _error(ended.status, ended.text)
            return _error(error.status, error.reason)

    def _may_control(self, request: web.Request) -> bool:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        wanted = self._control_token.reveal().encode()
        sent = token.strip().encode("utf-8", "surrogateescape")
        return kind.lower() == "bearer" and hmac.compare_digest(sent, wanted)

    async def _fail(self, request: web.Request, fault: Fault) -> web.Response | None:
        if fault.hang is not None:
            await asyncio.sleep(fault.hang)
            return None
        if fault.status is None:
            _reset_connection(request)
            return web.Response()
        if isinstance(fault.body, str):
            reply = web.Response(text=fault.body, status=fault.status)
        elif fault.status in (204, 304):
            reply = web.Response(status=fault.status)
        elif fault.body is None:
            reply = _error(fault.status, f"Fault {fault.status}")
        else:
            reply = web.json_response(fault.body, status=fault.status)
        reply.headers.update(fault.headers or {})
        return reply

    async def _log_in(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        await asyncio.sleep(self._login_delay)
        with self._lock:
            session = self._site.log_in(fields)
            body = {"auth_token": session.token, "uid": session.account.uid}
            reply = web.json_response(body, status=201)
            _set_cookie(reply, session)
        # Of older sessions that this one may have ended.
        await self.sockets.close_ended()
        return reply

    def _session(self, request: web.Request) -> Session:
        with self._lock:
            return self._site.authenticate(*_credentials(request))

    def _signed_in(self, action: Callable[[Call], object]) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            session = self._session(request)
            fields = await _fields(request)
            with self._lock:
                world = self._site.world
                uid = session.account.uid
                body = action(Call(world, uid, request.match_info, request.query, fields))
                is_self = request.path == "/v1/account/self"
                if is_self and isinstance(body, dict) and self._site.renew_token(session):
                    body = {**body, "auth_token": session.token}
                reply = web.Response(status=204) if body is None else web.json_response(body)
                if request.method == "POST" and request.path in _CREATED and body is not None:
                    reply.set_status(201)
                if self._site.renew_cookie(session):
                    _set_cookie(reply, session)
            await self.sockets.pump()
            return reply

        return handle

    async def _web_socket(self, request: web.Request) -> web.StreamResponse:
        with self._lock:
            session = self._site.authenticate_socket(
                request.query.get("token"), *_credentials(request)
            )
        return await self.sockets.serve(request, session)

    async def _close_sockets(self, _: web.Application) -> None:
        await self.sockets.close_all()


def _controlled(control: Callable[..., object]) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            result = control(**request.query, **await _fields(request))
        except KeyError as error:
            raise RequestError(404, f"No account {error}") from error
        except (TypeError, ValueError) as error:
            raise RequestError(400, str(error)) from error
        return web.json_response({} if result is None else result)

    return handle


def _stranger(request: web.Request) -> str | None:
    """What tells that a page of another site sends this, by way of somebody's browser."""
    host = request.headers.get("Host", "")
    name = urlsplit(f"//{host}").hostname if host.isprintable() else None
    if name not in ("127.0.0.1", "localhost", "::1"):
        return "Host: the sandbox answers for this machine only"
    sent_by = request.headers.get("Origin")
    if sent_by is not None and sent_by.partition("://")[2] != host:
        return "Origin: the sandbox answers no pages of other sites"
    return None


def _credentials(request: web.Request) -> tuple[str | None, str | None]:
    return request.cookies.get(COOKIE), request.headers.get("X-Auth-Token")


async def _fields(request: web.Request) -> Json:
    if request.method == "GET" or not request.can_read_body:
        return {}
    if request.content_type == "application/json":
        try:
            parsed = json.loads(await request.text() or "{}")
        except ValueError as error:
            raise RequestError(400, "The body is not JSON") from error
        if not isinstance(parsed, dict):
            raise RequestError(400, "The body must be a JSON object")
        return parsed
    if request.content_type == "multipart/form-data":
        return await _multipart(request)
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


async def _multipart(request: web.Request) -> Json:
    """The fields of a form with files; of a file its name, type and size."""
    fields: Json = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise RequestError(400, "A part has parts of its own")
        if part.filename is None:
            fields[part.name or ""] = await part.text()
            continue
        size = 0
        while piece := await part.read_chunk():
            size += len(piece)
        kind = part.headers.get("Content-Type", "")
        fields[part.name or ""] = {"name": part.filename, "type": kind, "size": size}
    return fields


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _set_cookie(reply: web.Response, session: Session) -> None:
    reply.set_cookie(COOKIE, session.cookie, path="/", httponly=True)


def _reset_connection(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        # Lingering for zero seconds makes the close a TCP reset.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
