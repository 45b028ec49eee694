"""Photos: streamed, with their progress, and the upload status polled; on both clients."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from interpal import (
    APIError,
    AsyncInterpalClient,
    InterpalClient,
    NetworkError,
    ValidationError,
)
from interpal.api import media
from interpal.api.upload import Upload
from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setattr(media, "FIRST_PAUSE", 0.01)
    with Sandbox(accounts={"maple_ink": "secret"}, upload_polls=2) as sandbox:
        yield sandbox


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest, sandbox: Sandbox) -> Callable[..., Any]:
    settings: dict[str, Any] = {"base_url": sandbox.base_url, "timeout": 30, "auto_login": True}

    async def awaited(name: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncInterpalClient("maple_ink", "secret", **settings) as client:
            return await getattr(client, name)(*args, **kwargs)

    def call(name: str, *args: Any, **kwargs: Any) -> Any:
        if request.param == "async":
            return asyncio.run(awaited(name, *args, **kwargs))
        with InterpalClient("maple_ink", "secret", **settings) as client:
            return getattr(client, name)(*args, **kwargs)

    return call


def thread_of(sandbox: Sandbox) -> str:
    with InterpalClient("maple_ink", "secret", base_url=sandbox.base_url) as client:
        client.login()
        return client.get_threads()[0].id


def test_progress_is_told_piece_by_piece_and_the_status_polled(
    do: Callable[..., Any], sandbox: Sandbox
) -> None:
    told: list[tuple[int, int]] = []
    size = 150_000
    photo = do(
        "upload_photo",
        os.urandom(size),
        caption="Fjord",
        on_progress=lambda sent, total: told.append((sent, total)),
    )
    assert photo.caption == "Fjord"
    assert photo["size"] == size
    assert told == [(65536, size), (131072, size), (size, size)]
    asked = [n for path, n in sandbox.stats()["requests"].items() if "upload-status" in path]
    assert asked == [3]


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "rest", "pipe"])
def test_a_photo_may_be_a_path_bytes_or_an_open_file(
    do: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / 'sun"set.jpg'
    path.write_bytes(b"0123456789")
    reader, writer = os.pipe()
    os.write(writer, b"0123456789")
    os.close(writer)
    with open(path, "rb") as file, open(path, "rb") as rest, open(reader, "rb") as pipe:
        rest.seek(4)
        things: dict[str, Any] = {
            "path": path, "text": str(path), "bytes": b"0123456789", "file": file, "rest": rest,
            "pipe": pipe,
        }  # fmt: skip
        photo = do("upload_photo", things[kind])
    assert photo["size"] == (6 if kind == "rest" else 10)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_upload_after_the_end_of_the_session_is_sent_again_from_its_start(
    sandbox: Sandbox, kind: str
) -> None:
    settings: dict[str, Any] = {"base_url": sandbox.base_url, "auto_login": True}

    async def work() -> Any:
        async with AsyncInterpalClient("maple_ink", "secret", **settings) as client:
            sandbox.invalidate()
            return await client.upload_photo(io.BytesIO(b"x" * 70_000))

    if kind == "async":
        photo = asyncio.run(work())
    else:
        with InterpalClient("maple_ink", "secret", **settings) as client:
            sandbox.invalidate()
            photo = client.upload_photo(io.BytesIO(b"x" * 70_000))
    assert photo["size"] == 70_000
    assert sandbox.stats()["requests"]["/v1/photo"] == 2


def test_an_upload_whose_outcome_is_open_is_not_sent_again(
    do: Callable[..., Any], sandbox: Sandbox
) -> None:
    sandbox.fault("/v1/photo", drop=True, after=True)
    with pytest.raises(NetworkError):
        do("upload_photo", b"x")
    assert sandbox.stats()["requests"]["/v1/photo"] == 1


def test_a_photo_goes_into_a_conversation_from_a_file_or_from_the_net(
    do: Callable[..., Any], sandbox: Sandbox
) -> None:
    thread = thread_of(sandbox)
    sent = do("send_photo_message", thread, file_path=b"12345", tmp_id="q7zd")
    assert sent.attachments[0].photo["size"] == 5
    assert sent.tmp_id == "q7zd"
    seen: list[dict[str, str]] = []

    class Images(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/image.jpg")
                self.end_headers()
                return
            body = b"1234567" if self.path == "/image.jpg" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Images)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        sent = do("send_photo_message", thread, image_url=f"{base}/moved")
        assert sent.attachments[0].photo["size"] == 7
        assert not {"cookie", "x-auth-token"} & {name for headers in seen for name in headers}
        with pytest.raises(APIError, match="image_url: the server answered 404"):
            do("send_photo_message", thread, image_url=f"{base}/none")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file_path": b"1", "image_url": "https://example.org/a"},
        {"image_url": "file:///etc/passwd"},
        {"image_url": "https://"},
    ],
)
def test_a_photo_comes_from_one_place(do: Callable[..., Any], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="image_url"):
        do("send_photo_message", "1", **options)


def test_a_photo_that_the_site_does_not_take_is_told(
    do: Callable[..., Any], sandbox: Sandbox
) -> None:
    token = do("upload_photo_async", b"123").token
    path = f"/v1/upload-status/{token}"
    sandbox.fault(path, status=200, body={"status": "failed", "payload": None})
    with pytest.raises(APIError, match="did not take"):
        do("wait_for_upload", token)
    with pytest.raises(APIError, match="not done after 0 seconds"):
        do("wait_for_upload", token, timeout=0)
    sandbox.fault("/v1/photo", status=200, body={"odd": 1})
    with pytest.raises(APIError, match="neither a token nor a photo"):
        do("upload_photo", b"1")
    # The older form of the reply.
    sandbox.fault("/v1/photo", status=200, body={"id": "5", "url": "u"})
    assert do("upload_photo", b"1").url == "u"


def test_what_on_progress_raises_ends_the_upload(do: Callable[..., Any]) -> None:
    def stop(sent: int, _total: int) -> None:
        raise LookupError(f"enough after {sent}")

    with pytest.raises(LookupError, match="enough after 65536"):
        do("upload_photo", b"x" * 200_000, on_progress=stop)


def test_a_file_that_cannot_be_read_is_the_error_of_the_system(
    do: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        do("upload_photo", tmp_path / "none.jpg")
    with pytest.raises(IsADirectoryError):
        do("upload_photo", tmp_path)


@pytest.mark.parametrize("wrong", [7, None, io.StringIO("text"), ["a"]])
def test_something_that_is_no_file_is_named(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="file_path"):
        Upload("file", wrong, {})
    with pytest.raises(ValidationError, match="on_progress"):
        Upload("file", b"", {}, on_progress=7)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="UTF-8"):
        Upload("file", b"", {"caption": "\ud800"})


def test_a_file_that_becomes_shorter_is_told(do: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 200_000)
    with pytest.raises(NetworkError):
        do("upload_photo", path, on_progress=lambda *_: os.truncate(path, 70_000))
