"""Looking and recomputing, on a machine that took no part."""
