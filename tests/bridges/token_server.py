"""An OAuth 2 token endpoint on loopback: `POST /token` gives a token that is good for an hour."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests import loopback


class TokenServer(loopback.Loopback):
    """The server, as a context; `given` counts its tokens."""

    def __init__(self) -> None:
        self.given = 0
        server = self

        class Handler(loopback.Quiet, BaseHTTPRequestHandler):
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
                        "name": "Ann",
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

        super().__init__(Handler)
