"""Which deltas count."""
