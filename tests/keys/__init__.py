"""Tests of the keys of a vault: where they come from, how they are changed, what they need."""
