"""Simulators that datasets are recorded in."""
