"""Where the bytes of a vault are kept: a file, an SQLite database or Redis."""
