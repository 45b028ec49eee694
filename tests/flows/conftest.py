from __future__ import annotations

from tests.files import may_mount
from tests.fixtures import driver, place, real_site, site

__all__ = ["driver", "place", "real_site", "site"]

collect_ignore = [] if may_mount() else ["test_disk.py", "test_set_up.py"]
