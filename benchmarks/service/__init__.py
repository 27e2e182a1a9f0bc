"""The service under load: how near it is to the roof of its frame, and what overload does to it."""
