"""The contracts' events, complete and in order, as facts."""
