"""`recocore bench`: runs a scenario of a checkout's benchmark house in that checkout."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

_STOP_SECONDS = 10.0


@click.command("bench")
@click.argument("scenario", metavar="[SCENARIO]", required=False)
@click.option("--case", "cases", multiple=True, metavar="NAME", help="Only this case; may be given several times.")
@click.option("--repeats", type=click.IntRange(min=1), help="Rounds; what the scenario says, or 3 with --quick.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of each competitor.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder of the results; FOLDER/results.")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False), help="Folder of the data sets; else RECOCORE_DATA."
)
@click.option("--quick", is_flag=True, help="Only the quick cases.")
@click.option("--large", is_flag=True, help="The large cases too.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    help="The checkout's benchmark house.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    scenario: str | None,
    cases: tuple[str, ...],
    repeats: int | None,
    threads: int,
    out: str | None,
    data: str | None,
    quick: bool,
    large: bool,
    folder: Path,
    as_json: bool,
) -> int:
    """Run a SCENARIO and write its results and their page; without one, list the scenarios.

    Every competitor runs in its own process with the same threads, its result is verified before anything is timed, and
    one that fails or is not installed is named. The peers come with the extra: pip install 'recocore[bench]'.

    \b
    Examples:
      recocore bench
      recocore bench similarity --quick
      recocore bench similarity --case ml20m_like --repeats 9 --out figures/
    """
    _require(folder)
    arguments = [] if scenario is None else [scenario]
    for case in cases:
        arguments += ["--case", case]
    for option, value in (("--repeats", repeats), ("--threads", threads)):
        if value is not None:
            arguments += [option, str(value)]
    # The house runs in the checkout: paths that the caller gave are the caller's.
    for option, path in (("--out", out), ("--data", data)):
        if path is not None:
            arguments += [option, str(Path(path).resolve())]
    flags = {"--quick": quick, "--large": large, "--json": as_json}
    arguments += [flag for flag, given in flags.items() if given]
    return _run([sys.executable, "-m", "benchmarks", *arguments], folder.resolve().parent)


def _require(folder: Path) -> None:
    """Say what is missing before anything starts."""
    if folder.resolve().name != "benchmarks" or not (folder / "__main__.py").is_file():
        raise click.ClickException(
            f"{folder}: there is no benchmark house here; run this in a checkout of recocore, or name its benchmarks "
            "folder with --folder"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise click.ClickException("matplotlib is not installed; pip install 'recocore[bench]' brings it and the peers")


def _run(command: list[str], folder: Path) -> int:
    """The exit code of a command that shares this terminal; Ctrl-C reaches it too, and it gets time to clean up."""
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
