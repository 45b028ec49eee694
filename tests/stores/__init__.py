"""Every store keeps one contract (`contract.py`), and each is tried with the faults of its kind."""
