"""How deltas become one step."""
