"""A global model for people: its card, and its file."""
