"""`python -m interpal.vault`: the command line."""

from interpal.vault.cli import main

if __name__ == "__main__":
    main()
