"""A vault on each file system that can be mounted here: docs/filesystems.md is what came of it.

`python -m tests.filesystems --write` mounts them in a mount namespace of its own, as root, tries
each, and writes the table; a row that could not be run says so. Names after it choose rows.
"""
