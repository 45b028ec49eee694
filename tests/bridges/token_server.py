"""An OAuth 2 token endpoint on loopback: `POST /token` gives a token that is good for an hour."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class TokenServer:
    """The server, as a context; `given` counts its tokens."""

    def __init__(self) -> None:
        self.given = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                server.given += 1
                self._send(
                    {
                        "access_token": f"token-{server.given}",
                        "refresh_token": "again",
                        "token_type": "Bearer",
                        "expires_in": 3600,
                    }
                )

            def do_GET(self) -> None:
                own = f"https://{self.headers['Host']}"
                self._send(
                    {
                        "authorization_endpoint": f"{own}/authorize",
                        "token_endpoint": f"{own}/token",
                        "issuer": own,
                        "who": self.headers.get("Authorization"),
                    }
                )

            def _send(self, value: dict[str, Any]) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
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
