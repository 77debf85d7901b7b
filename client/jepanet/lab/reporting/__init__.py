"""A comparison as tables and pictures."""
