"""A WebSocket that sends as many frames as it is asked for, ready made and in one go.

`python -m benchmarks.frame_server` prints its base URL and serves until its input ends. It is a
process of its own, and does no more than write: what is measured is who reads.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web

CONVERSATIONS = 200
BATCH = 1_000
OWN_ID = "1700000000000000001"
FIRST_MESSAGE = 19 * 10**17


_TEMPLATE = json.dumps(
    {
        "type": "THREAD_NEW_MESSAGE",
        "data": {
            "id": "%(id)019d",
            "created": "2026-11-22T08:00:00Z",
            "thread_id": "%(thread)019d",
            "sender_id": "%(sender)019d",
            "message": "Did the parcel arrive? It was sent on Monday, with the lighthouse.",
            "fake_id": "",
            "tmp_id": "q7zd",
        },
        "sender": {
            "id": "%(sender)019d",
            "username": "pedro_k",
            "name": "Pedro",
            "age": 31,
            "sex": "male",
            "country_code": "PT",
            "city": "Porto",
            "is_online": True,
            "last_login": "2026-11-21T20:02:11Z",
        },
        "counters": {
            "new_friend_requests": 0,
            "new_messages": 1,
            "new_notifications": 0,
            "new_views": 0,
            "total_threads": 4,
            "unread_threads": 1,
        },
        "click_url": "/app/messages?thread_id=%(thread)019d",
    }
).encode()


def frame(number: int) -> bytes:
    """One message as a WebSocket frame (RFC 6455 §5.2), of the size that recorded ones have."""
    conversation = number % CONVERSATIONS
    text = _TEMPLATE % {
        b"id": FIRST_MESSAGE + number,
        b"thread": 18 * 10**17 + conversation,
        b"sender": 17 * 10**17 + 100 + conversation,
    }
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text


async def _socket(request: web.Request) -> web.StreamResponse:
    channel = web.WebSocketResponse()
    await channel.prepare(request)
    transport = request.transport
    assert transport is not None
    begun = 0
    async for message in channel:
        wanted = json.loads(message.data)["frames"]
        for start in range(begun, begun + wanted, BATCH):
            end = min(start + BATCH, begun + wanted)
            transport.write(b"".join(map(frame, range(start, end))))
            # With the writer's own bookkeeping passed by, its limits are ours to keep.
            while transport.get_write_buffer_size() > 2**20:  # noqa: ASYNC110  (no event for it)
                await asyncio.sleep(0.001)
        begun += wanted
    return channel


async def _self(_: web.Request) -> web.Response:
    return web.json_response({"id": OWN_ID, "username": "maple_ink"})


async def _threads(_: web.Request) -> web.Response:
    return web.json_response([])


async def _main() -> None:
    app = web.Application()
    app.router.add_get("/v1/ws", _socket)
    app.router.add_get("/v1/account/self", _self)
    app.router.add_get("/v1/user/self/threads", _threads)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())
