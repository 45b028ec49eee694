"""Messages that came while the socket was down: looked for in the conversations, over the API.

`GET /v1/user/self/threads` names the last message of each conversation. Where that is not one that
was handed out, `GET /v1/thread/{id}/messages` is read back to one that was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from interpal.api.replies import ThreadNewMessageEvent
from interpal.live.frames import NEW_MESSAGE
from interpal.live.progress import key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from interpal.live.progress import Progress

    Get = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

THREADS = "/v1/user/self/threads"
MESSAGES = "/v1/thread/{}/messages"
PAGE = 50


class Missed(NamedTuple):
    """What was found: messages of others, one's own, and the last one of each conversation."""

    events: list[ThreadNewMessageEvent]
    own: list[tuple[str, str]]
    newest: dict[str, str]


async def take_stock(get: Get, progress: Progress) -> None:
    """Before the first connection: what is there by now is old."""
    threads = await _threads(get, 0)
    newest = {thread["id"]: thread["last_msg_id"] for thread in threads if "last_msg_id" in thread}
    progress.settle(newest)
    for message_id in newest.values():
        progress.settle_the_rest(message_id)


async def look(get: Get, progress: Progress, since: int, own_id: str | None) -> Missed:
    """What came since connection number *since* was lost. Notes nothing in *progress*.

    Raises what the calls raise.
    """
    found = Missed([], [], {})
    offset = 0
    while True:
        threads = await _threads(get, offset)
        news = 0
        for thread in threads:
            if not isinstance(thread.get("last_msg_id"), str):
                continue
            found.newest[thread["id"]] = thread["last_msg_id"]
            if not _is_old(progress, thread["id"], thread["last_msg_id"], since):
                news += 1
                await _read_back(get, progress, since, own_id, thread, found)
        # They come with the latest first: after a page without news there are none.
        if not news or len(threads) < PAGE:
            break
        offset += len(threads)
    found.events.sort(key=lambda event: key_of(event["data"]["id"]))
    return found


def _is_old(progress: Progress, thread_id: str, message_id: str, since: int) -> bool:
    return progress.is_settled(thread_id, message_id) and (
        not progress.handed_out_since(message_id, since)
    )


async def _read_back(
    get: Get,
    progress: Progress,
    since: int,
    own_id: str | None,
    thread: Mapping[str, Any],
    found: Missed,
) -> None:
    tid = thread["id"]
    offset = 0
    while True:
        page = _list(await get(MESSAGES.format(tid), {"limit": PAGE, "offset": offset}), "messages")
        messages = [message for message in page if isinstance(message.get("id"), str)]
        reached = False
        for message in messages:
            if _is_old(progress, tid, message["id"], since):
                reached = True
            elif not progress.is_settled(tid, message["id"]):
                if own_id is not None and message.get("sender_id") == own_id:
                    found.own.append((tid, message["id"]))
                else:
                    found.events.append(_event(thread, message))
        if reached or len(page) < PAGE:
            return
        offset += len(page)


def _event(thread: Mapping[str, Any], message: Mapping[str, Any]) -> ThreadNewMessageEvent:
    """The frame that was missed, as far as the API tells; `recovered` says that it is one."""
    sender = message.get("sender")
    if not isinstance(sender, dict):
        other = thread.get("user")
        is_theirs = isinstance(other, dict) and other.get("id") == message.get("sender_id")
        sender = other if is_theirs else {"id": message.get("sender_id")}
    return ThreadNewMessageEvent(
        {
            "type": NEW_MESSAGE,
            "data": {"thread_id": thread["id"], **message},
            "sender": sender,
            "click_url": f"/app/messages?thread_id={thread['id']}",
            "recovered": True,
        }
    )


async def _threads(get: Get, offset: int) -> list[dict[str, Any]]:
    found = _list(await get(THREADS, {"limit": PAGE, "offset": offset}), "threads")
    return [thread for thread in found if isinstance(thread.get("id"), str)]


def _list(reply: Any, member: str) -> list[dict[str, Any]]:
    """A bare list, or one under *member* or `data`; what is no object in it is left out."""
    if isinstance(reply, dict):
        reply = reply.get(member, reply.get("data"))
    return [item for item in reply if isinstance(item, dict)] if isinstance(reply, list) else []
