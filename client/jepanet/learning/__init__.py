"""Training and evaluation; knows no chain."""
