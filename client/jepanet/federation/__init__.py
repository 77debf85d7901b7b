"""Weights as arrays: deltas, codecs, merging, judging."""
