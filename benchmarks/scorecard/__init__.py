"""The rows of `attack_scorecard.py`, and what they are held to."""
