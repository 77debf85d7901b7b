"""The machine that computes: its devices, and what its figures depend on."""
