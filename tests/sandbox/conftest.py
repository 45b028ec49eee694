from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def site() -> Iterator[Sandbox]:
    """A running sandbox with two named accounts and one e-mail address."""
    accounts = {"maple_ink": "secret", "pedro_k": "radio", "name@example.org": "mail"}
    with Sandbox(accounts) as sandbox:
        yield sandbox
