"""Which model answers a call: the versions that are loaded, the aliases and the experiment that choose between them."""
