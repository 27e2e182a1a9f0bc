"""Rates to hold others against; each is measured like a competitor."""
