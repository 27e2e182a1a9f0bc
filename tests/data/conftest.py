"""Hypothesis for the tests of this folder: the same examples in every run, and no deadline on a busy machine."""

from hypothesis import settings

settings.register_profile("recocore", deadline=None, derandomize=True)
settings.load_profile("recocore")
