"""The cache of replies under its name of interpal 1.x: see `interpal.api.cache`."""

from __future__ import annotations

from interpal.api.cache import Cache as InterpalState

__all__ = ["InterpalState"]
