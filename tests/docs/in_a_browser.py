"""Open every page of the built site in a real browser: `python -m tests.docs.in_a_browser site`.

Headless Chromium, as wide as a phone, in the light and the dark scheme, in a network namespace
that has nothing but its own loopback. Of each page: no request leaves the site's own host, nothing
fails to load, no error is on the console, every picture is shown, and nothing has to be scrolled
sideways.

Before that it opens pages that have each of these faults, and finds them: else it would prove
nothing. Exit code 1 where a page has a fault. Debian's `chromium` is installed where it is missing.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.debian import need

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable

WIDTH, HEIGHT = 390, 844
SCHEMES = ("light", "dark")
# Where the site lies on its host: its page for what is not found asks for files by this path.
PREFIX = "/en/latest"
INSIDE = "INSIDE_A_NETWORK_OF_ITS_OWN"

# What is wrong with the page, seen from inside it, as a list of sentences.
LOOK = """
(async () => {
  const wrong = [];
  for (const image of document.images) {
    image.loading = "eager";
    try { await image.decode(); } catch (error) {}
    if (!image.naturalWidth) wrong.push("broken picture: " + image.src);
    else if (!image.alt) wrong.push("picture without a description: " + image.src);
    else if (image.src.includes("svg")) {
      const svg = await (await fetch(image.src)).text();
      const sizes = [...svg.matchAll(/font(?:-size)?[:=] ?"?([0-9.]+)/g)].map(each => +each[1]);
      const scale = image.width / (/viewBox="\\S+ \\S+ ([0-9.]+)/.exec(svg) || [])[1];
      const smallest = Math.min(...sizes) * scale;
      if (smallest < 8.9) wrong.push("letters of " + smallest.toFixed(1) + " px: " + image.src);
    }
  }
  const wide = document.scrollingElement.scrollWidth;
  if (wide > window.innerWidth) {
    wrong.push("is " + wide + " px wide: " + [...document.querySelectorAll("body *")]
      .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)
      .slice(0, 3).map(each => each.tagName + "." + each.className));
  }
  return wrong;
})()
"""

SMALL = (
    "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 900 100%22%3E"
    "%3Ctext y=%2250%22 font-size=%2220%22%3EA terminal%3C/text%3E%3C/svg%3E"
)
FAULTY = {
    "picture.html": ('<img src="none.svg" alt="none">', "broken picture"),
    "small.html": (f'<img src="{SMALL}" alt="small" width="300">', "letters of 6.7 px"),
    "console.html": ('<script>console.error("no")</script>', "console"),
    "thrown.html": ("<script>throw Error()</script>", "uncaught"),
    "wide.html": ('<div style="width: 500px">.</div>', "px wide"),
    "elsewhere.html": ('<script src="https://example.org/a.js"></script>', "asks example.org"),
    "fetched.html": ('<script>fetch("https://example.org").catch(e => 0)</script>', "asks example"),
    "sound.html": ('<p lang="en">Nothing.</p>', ""),
}


class Browser:
    """One tab of a running Chromium, over its DevTools protocol."""

    def __init__(self, socket_: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self._socket = socket_
        self._count = 0
        self._session = ""

    async def open_a_tab(self) -> None:
        """Every other method is about this tab."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method; what comes in meanwhile is dropped."""
        return await self._call(method, parameters, [])

    async def _call(
        self, method: str, parameters: dict[str, Any], events: list[dict[str, Any]]
    ) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_str(json.dumps(message))
        while True:
            reply = await self._next()
            if reply.get("id") == self._count:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                result: dict[str, Any] = reply["result"]
                return result
            events.append(reply)

    async def _next(self) -> dict[str, Any]:
        found = await asyncio.wait_for(self._socket.receive_json(), 60)
        assert isinstance(found, dict)
        return found

    async def _go_to(self, url: str) -> list[dict[str, Any]]:
        """Load a page; every event until it has loaded."""
        events: list[dict[str, Any]] = []
        await self._call("Page.navigate", {"url": url}, events)
        while not any(event.get("method") == "Page.loadEventFired" for event in events):
            events.append(await self._next())
        return events

    async def faults(self, url: str, scheme: str) -> list[str]:
        """What is wrong with the page at *url*."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await self.call("Emulation.setEmulatedMedia", features=[feature])
        events = await self._go_to(url)
        look = {"expression": LOOK, "awaitPromise": True, "returnByValue": True}
        looked = await self._call("Runtime.evaluate", look, events)
        # What is told of this page until another one is there is still about this one.
        events += await self._go_to("about:blank")
        host = re.findall(r"//([^/]+)", url)[0]
        seen = [sentence for event in events if (sentence := _told(event, host))]
        return [*dict.fromkeys([*seen, *looked["result"]["value"]])]


def _told(event: dict[str, Any], host: str) -> str | None:
    """What is wrong about an event of the protocol."""
    method, about = event.get("method"), event.get("params", {})
    if method == "Network.requestWillBeSent":
        asked = re.match(r"https?://([^/]+)", about["request"]["url"])
        if asked and asked[1] != host:
            return f"asks {asked[1]}: {about['request']['url']}"
    elif method == "Network.loadingFailed" and not about.get("canceled"):
        return f"does not load: {about.get('errorText')}"
    elif method == "Runtime.exceptionThrown":
        return f"uncaught: {about['exceptionDetails'].get('text')}"
    elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert", "warning"):
        return f"console: {[argument.get('value') for argument in about['args']]}"
    elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
        return f"console: {about['entry']['text']} {about['entry'].get('url', '')}"
    return None


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser, None]:
    """Chromium with an empty profile, and one tab of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium(),
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--remote-debugging-port=0"),
            *(f"--user-data-dir={profile}", "about:blank"),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await asyncio.wait_for(_address(process), 60)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as websocket,
            ):
                tab = Browser(websocket)
                await tab.open_a_tab()
                yield tab
        finally:
            process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if found := re.search(rb"DevTools listening on (ws://\S+)", line):
            return found[1].decode()
    raise RuntimeError(f"Chromium does not start: {said[-500:].decode(errors='replace')}")


def chromium() -> str:
    """The path of the browser, which is installed if need be."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return need("chromium", lambda: next(filter(None, map(shutil.which, names)), None))


@contextmanager
def served(folder: Path) -> Generator[str, None, None]:
    """The URL of a server of the files in *folder*, on loopback."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        finally:
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        """The file of a path, which has the prefix of the site."""
        return super().translate_path(path.removeprefix(PREFIX))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


async def look_at(folder: Path, pages: Iterable[str]) -> dict[str, list[str]]:
    """The faults of each page of *folder*, in each scheme."""
    found: dict[str, list[str]] = {}
    with served(folder) as url:
        async with browser() as tab:
            for page in pages:
                for scheme in SCHEMES:
                    for fault in await tab.faults(f"{url}/{page}", scheme):
                        found.setdefault(page, []).append(f"{scheme}: {fault}")
    return found


def check_itself() -> None:
    """AssertionError where a page with a fault is taken for a sound one."""
    with tempfile.TemporaryDirectory() as folder:
        head = '<!doctype html><link rel="icon" href="data:,"><title>A page</title>'
        for name, (body, _) in FAULTY.items():
            (Path(folder) / name).write_text(head + body, encoding="utf-8")
        found = asyncio.run(look_at(Path(folder), FAULTY))
    for name, (_, fault) in FAULTY.items():
        told = " ".join(found.get(name, []))
        assert fault in told if fault else not told, f"{name}: {told or 'no fault found'}"


def loopback_up() -> None:
    """Switch on the loopback of a network namespace that is new."""
    up, running, set_flags = 0x1, 0x40, 0x8914
    with socket.socket() as any_socket:
        request = struct.pack("16sH14s", b"lo", up | running, b"")
        fcntl.ioctl(any_socket, set_flags, request)


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    if INSIDE not in os.environ:
        chromium()
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--net", *as_root, sys.executable, "-m", "tests.docs.in_a_browser"]
        return subprocess.run(
            [*command, str(site)], env={**os.environ, INSIDE: "yes"}, check=False
        ).returncode
    loopback_up()
    check_itself()
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    found = asyncio.run(look_at(site, pages))
    for page, faults in found.items():
        print(f"{page}:", *faults, sep="\n  ")
    print(f"{len(pages) - len(found)} pages without a fault, {len(found)} with some")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
