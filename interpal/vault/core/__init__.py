"""What stands under a vault: its versions, its records and the operations on its keys."""
