"""Take the README's pictures of the report pages anew: `python docs/take_pictures.py`, which needs chromium.

The pages are made by the README's own commands, of the demo's log and of simulated orders, in a folder that goes afterwards.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PICTURES: Final = ROOT / "docs" / "pictures"

# By the picture's name: the chapter of the README that makes report.html, and the page's pixels from the top that are shown.
PAGES: Final = {"profiles_report": ("Segments and lifetime", 1650), "fraud_report": ("Fraud", 1390)}
_WIDTH: Final = 1200


def commands(chapter: str) -> str:
    """The first bash block of a chapter of the README."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^## {re.escape(chapter)}$.*?^```bash$\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise SystemExit(f"README.md: expected a chapter {chapter!r} with a bash block")
    return found[1]


def take(name: str, folder: Path) -> None:
    """Make a page and write its picture."""
    chapter, height = PAGES[name]
    subprocess.run(["bash", "-euc", commands(chapter)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--window-size={_WIDTH},{height}",
            f"--screenshot={PICTURES / name}.png",
            (folder / "report.html").as_uri(),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Take all."""
    if shutil.which("chromium") is None:
        sys.exit("chromium: expected it on the PATH; on Debian: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    for name in PAGES:
        with TemporaryDirectory() as folder:
            subprocess.run(["recocore", "demo", "--keep", "events.parquet"], cwd=folder, check=True)
            take(name, Path(folder))
            print(f"{PICTURES / name}.png")


if __name__ == "__main__":
    main()
