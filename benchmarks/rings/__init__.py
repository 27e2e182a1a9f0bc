"""Rings of accounts: blocks injected into real graphs, and how fast a large graph is peeled."""
