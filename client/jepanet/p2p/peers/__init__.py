"""Whom this node knows, dials and refuses."""
