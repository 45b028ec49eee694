"""What opens and makes vaults with other libraries, and nothing of this package.

They run in an environment of their own (`tests/interop/install.py`), and docs/interop.md shows
them.
"""
