"""Role handlers: one table of duty handlers per role."""
