"""Keys: where they come from, what they unlock, and how they are changed."""
