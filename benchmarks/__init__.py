"""The benchmark house: a folder a scenario, a file a competitor; every result is verified before anything is timed."""
