"""An HTTP server of the standard library on loopback, for what a test asks for."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Quiet(BaseHTTPRequestHandler):
    """Of a request nothing is printed."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


class Loopback:
    """The server, as a context; `url` is where it is."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], host: str = "127.0.0.1") -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
