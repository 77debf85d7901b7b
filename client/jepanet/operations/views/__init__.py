"""What an operator's actions answer: frozen records, and the one form they have in JSON."""
