"""What a program frozen by PyInstaller needs of this package.

Most modules are imported by name when they are first used, which PyInstaller does not see, and so
is the package keyring, which is an extra.
"""

from __future__ import annotations

import importlib.util
import pkgutil

import interpal

# The pytest plugin would bring pytest along.
_LEFT_OUT = ("interpal.testing", "interpal.__pyinstaller")

hiddenimports = [
    module.name
    for module in pkgutil.walk_packages(interpal.__path__, "interpal.")
    if not module.name.startswith(_LEFT_OUT) and not module.name.endswith("__main__")
]
if importlib.util.find_spec("keyring") is not None:
    # PyInstaller's own hook for it adds the backends.
    hiddenimports.append("keyring")
