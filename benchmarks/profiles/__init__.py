"""Profiles of users, against what data frames do."""
