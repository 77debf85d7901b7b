"""The action-conditioned world model."""
