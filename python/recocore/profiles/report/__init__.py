"""The report: a population of profiles as one page that needs nothing beside it."""

from recocore.profiles.report.page import render

__all__ = ["render"]
