"""The service seen from outside: metrics, the page at the metrics port, traces, slow calls."""
