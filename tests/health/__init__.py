"""Tests of what doctor and reports say about a vault."""
