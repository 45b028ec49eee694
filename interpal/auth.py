"""`AuthManager` of interpal 1.x: the session of a client, under its old name."""

from __future__ import annotations

from interpal.api.compatibility import Auth as AuthManager
from interpal.client import InterpalClient

__all__ = ["AuthManager"]

AuthManager.new_client = InterpalClient
