"""A family of a few lines, for the tests of what holds for all: one folder, and one line of a registry."""
