"""What the kernels take of a multiprocessor, from the words of `ptxas -v`, as a table that a review can compare.

    python cpp/cuda_figures.py build/dev/cuda.log           # writes cpp/cuda_figures.txt
    python cpp/cuda_figures.py build/dev/cuda.log --check   # fails where a figure is not that of the file

Only sm_80 is kept. Another version of nvcc gives other figures: then --check says so, and compares nothing.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

FIGURES = Path(__file__).with_name("cuda_figures.txt")
ARCHITECTURE = "sm_80"
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def kernel_names(mangled: list[str]) -> list[str]:
    """Names without namespaces and parameters."""
    plain = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout
    names = []
    for line in plain.splitlines():
        name = re.sub(r"\((?!recocore).*\)$", "", line.removeprefix("void "))
        name = re.sub(r"recocore::cuda::|\(anonymous namespace\)::", "", name)
        names.append(re.sub(r"\(.*\)$", "", name) if "<" not in name else name.partition(">(")[0].rstrip(">") + ">")
    return names


def figures(log: str) -> dict[str, str]:
    """By the name of each kernel: registers, static shared memory, stack, spilled bytes stored and loaded."""
    found: dict[str, list[int]] = {}
    entry = ""
    for line in log.splitlines():
        if match := ENTRY.search(line):
            entry = match[1] if match[2] == ARCHITECTURE else ""
        elif entry and (match := STACK.search(line)):
            found[entry] = [0, 0, *map(int, match.groups())]
        elif entry and (match := USED.search(line)):
            shared = SHARED.search(line)
            found[entry][:2] = int(match[1]), int(shared[1]) if shared else 0
            entry = ""
    rows = zip(kernel_names(list(found)), found.values(), strict=True)
    return {name: "".join(f"{value:>10}" for value in values) for name, values in rows}


def text(log: str, version: str) -> str:
    """The file."""
    head = f"{'kernel':<60} registers    shared     stack  stored    loaded"
    lines = [f"{name:<60}{values}" for name, values in sorted(figures(log).items())]
    return "\n".join(
        [f"# {version}, {ARCHITECTURE}; bytes but for registers; python cpp/cuda_figures.py", head, *lines, ""]
    )


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--nvcc", default="/usr/local/cuda/bin/nvcc")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    said = subprocess.run([given.nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    version = "nvcc " + said.partition(", V")[2].split()[0]
    now = text(given.log.read_text(encoding="utf-8"), version)
    if not given.check:
        FIGURES.write_text(now, encoding="utf-8")
        return 0
    before = FIGURES.read_text(encoding="utf-8")
    if before.splitlines()[0] != now.splitlines()[0]:
        print(f"figures of {version} are not compared with those of the file: {before.splitlines()[0]}")
        return 0
    if before == now:
        print(f"the figures of {len(now.splitlines()) - 2} kernels are those of {FIGURES.name}")
        return 0
    print(f"figures differ from {FIGURES.name}; where that is right, write them anew and let a review see it:")
    for line in sorted(set(before.splitlines()) ^ set(now.splitlines())):
        print(("- " if line in before.splitlines() else "+ ") + line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
