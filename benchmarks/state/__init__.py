"""The state under load, in one process and over its socket: `python -m benchmarks.state --help`."""
