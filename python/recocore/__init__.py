"""The scoring core under e-commerce personalisation: an event log in, a served recommendation out."""
