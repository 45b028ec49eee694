"""Private files: folders and files for their owner alone, and locks between processes."""
