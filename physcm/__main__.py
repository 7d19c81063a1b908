"""`python -m physcm` is the command `physcm`."""

from physcm.cli import main

if __name__ == "__main__":
    main()
