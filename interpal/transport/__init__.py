"""Requests and replies as values, and where they go: no network."""
