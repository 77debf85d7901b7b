"""The methods that a node offers, a file for each namespace."""
