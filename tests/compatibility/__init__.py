"""How scripts for PyPI `interpal` 1.2.0 fare with this package."""
