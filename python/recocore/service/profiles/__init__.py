"""Profiles in the service: ProfileService, and what a profile changes in an answer."""
