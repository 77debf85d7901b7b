"""Weights as arrays: deltas, codecs, merging, verification."""
