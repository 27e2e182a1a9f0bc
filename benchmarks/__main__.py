"""`python -m benchmarks`: what `recocore bench` runs."""

from benchmarks.harness.command import main

if __name__ == "__main__":
    raise SystemExit(main())
