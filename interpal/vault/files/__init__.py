"""Private files: folders and files that nobody else may read or write, and locks between processes."""
