"""The command line: what `physcm` and `python -m physcm` run."""

from physcm.cli.app import main

__all__ = ["main"]
