"""What every scenario shares: processes, verification, timing, statistics, results and their page."""
