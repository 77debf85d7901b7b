"""Documents that are signed or hashed, in canonical JSON."""
