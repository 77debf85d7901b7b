"""Subscriptions: who hears of what, and what has changed since it was last looked at."""
