"""Transactions: nonces, fees, and what became of each."""
