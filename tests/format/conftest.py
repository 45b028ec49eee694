from __future__ import annotations

import pytest

from tests.format.small import SmallVault


@pytest.fixture
def small() -> SmallVault:
    """A vault of one record and one raw-key slot, put together by the package itself."""
    return SmallVault.make()
