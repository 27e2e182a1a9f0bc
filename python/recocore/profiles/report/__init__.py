"""The report: a population of profiles as one page that needs nothing beside it."""

from recocore.profiles.report.page import render, save_page

__all__ = ["render", "save_page"]
