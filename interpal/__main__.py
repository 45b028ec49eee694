"""`python -m interpal`: the command line, with the verbs of the client."""

from interpal.cli import main

if __name__ == "__main__":
    main()
