"""The items most like each item, from a user by item matrix."""
