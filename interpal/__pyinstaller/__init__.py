"""Tells PyInstaller where its hook for this package is (the entry point `pyinstaller40`)."""

from __future__ import annotations

import os


def get_hook_dirs() -> list[str]:
    """The folders with hooks."""
    return [os.path.dirname(__file__)]
