"""Ways of being paid without the work: those of every family, and one file for those of each."""
