"""The operations on a GPU beside the CPU and beside others: `python -m benchmarks.gpu --help`."""
