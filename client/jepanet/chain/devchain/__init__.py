"""A local chain with the contracts on it, for developers."""
