"""Trainings that can be re-executed in parts: states on the way, and a part of the way gone again."""
