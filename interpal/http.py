"""`HTTPClient` of interpal 1.x: the requests of a client, under their old name."""

from __future__ import annotations

from interpal.api.compatibility import AsyncHTTPClient, HTTPClient

__all__ = ["AsyncHTTPClient", "HTTPClient"]
