"""The format of a vault (docs/format.md) as pure functions: no I/O, no clock, no randomness."""
