"""A local chain for developers."""
