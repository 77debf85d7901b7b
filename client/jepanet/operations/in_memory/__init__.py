"""Models and deltas in the memory of whoever works in Python: read, trained, measured, without a worker."""
