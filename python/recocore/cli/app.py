"""The commands by name, and the one place that turns an exception into a line and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from recocore.errors import RecocoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

# A command's module is loaded when the command is called: `--help` should not wait for numeric libraries.
COMMANDS = {
    "demo": "Make a shop, train on its log, serve it and ask it: the whole path in seconds.",
    "fit": "Turn an event log into an index that can be served.",
    "evaluate": "Measure a model on held-out events, beside the popularity baseline.",
    "tune": "Search for the parameters of als that suit an event log.",
    "recommend": "Ask an index for recommendations, without a server.",
    "fraud": "Score orders for fraud, with reasons; back-test rules, find rings, draw the report.",
    "profiles": "Build profiles of users, look at one, group them, and report on all.",
    "registry": "Keep versions of an index in a folder, and aliases that move between them.",
    "state": "Look into the events and records of a state, and keep it in order.",
    "serve": "Serve an index over gRPC.",
    "consume": "Record the messages of a Kafka topic in a state.",
    "keys": "Give callers API keys, and take them back.",
    "audit": "Read the audit log through: is every line as it was written?",
    "top": "Watch a running service in the terminal.",
    "bench": "Measure recocore beside its peers, in a checkout's benchmarks folder.",
    "info": "Say what this installation, or an index, consists of.",
}

# What to do about a refusal of the operating system.
_NEXT_STEPS = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check who may read and write it",
    errno.EEXIST: "choose a name that is free",
    errno.EPERM: "check who may read and write it",
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EADDRINUSE: "choose another port",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"recocore.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="recocore", message="recocore %(version)s")
def app() -> None:
    """An event log in, a served recommendation out.

    \b
    Try it:             recocore demo
    Your own data:      recocore fit events.parquet --model als --out index/
                        recocore recommend index/ --user ann
                        recocore serve index/
    Is it any good:     recocore evaluate events.parquet --model als
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 (failed, or nobody reads on), 2 (not understood), 130 (Ctrl-C)."""
    try:
        if sys.stdout is None:
            # The descriptor of standard output is free: the next file that is opened would get what is printed.
            raise click.ClickException("standard output is closed; redirect it, as in `recocore ... > /dev/null`")
        result = app.main(args=arguments, prog_name="recocore", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as asked:
        print(asked.format_message(), file=sys.stderr)  # the help, where a command is missing
        return 2
    except BrokenPipeError:
        # Python flushes once more on its way out, and nobody listens any longer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.ClickException, click.Abort, KeyboardInterrupt, RecocoreError, OSError, MemoryError) as error:
        message, code = _verdict(error)
        print(f"recocore: error: {' '.join(message.split())}", file=sys.stderr)
        return code
    return result if isinstance(result, int) else 0


def _verdict(error: BaseException) -> tuple[str, int]:
    """What to say, with a next step, and the exit code."""
    match error:
        case KeyboardInterrupt() | click.Abort():
            return "stopped", 130
        case click.UsageError():
            name = error.ctx.command_path if error.ctx else "recocore"
            return f"{error.format_message()} (see `{name} --help`)", 2
        case click.ClickException():
            return error.format_message(), error.exit_code
        case RecocoreError():
            return str(error), 1
        case OSError():
            return _explain(error), 1
    return "out of memory; try fewer rows or factors", 1


def _explain(error: OSError) -> str:
    what = error.strerror or str(error)
    where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    step = _NEXT_STEPS.get(error.errno or 0)
    return f"{where}{what}" + (f"; {step}" if step else "")
