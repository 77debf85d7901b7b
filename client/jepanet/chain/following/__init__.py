"""The contracts' logs, complete and in order, as facts."""
