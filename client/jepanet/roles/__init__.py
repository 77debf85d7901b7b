"""Role handlers: one table of command handlers per role."""
