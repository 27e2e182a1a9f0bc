"""Who may call the service, over what, and what is written down of it."""
