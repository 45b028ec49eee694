from __future__ import annotations

from tests.fixtures import driver, place, site

__all__ = ["driver", "place", "site"]
