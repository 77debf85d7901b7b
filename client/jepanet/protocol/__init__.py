"""The rules of a round, pure: (state, fact) -> (state, duties)."""
