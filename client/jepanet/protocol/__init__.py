"""The rules of a round, pure: (state, input) -> (state, commands)."""
