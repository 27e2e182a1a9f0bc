"""A supervisor and the worker processes that it starts, restarts and drains."""
