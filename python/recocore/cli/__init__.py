"""The command line: one file a command, errors of one line, `--json` wherever a program reads."""

from recocore.cli.app import main

__all__ = ["main"]
