"""Tokens, stake, seats and claims of a wallet."""
