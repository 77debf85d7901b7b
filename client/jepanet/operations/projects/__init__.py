"""Projects: drafting one from a dataset, its first model, registering it, looking at those there are."""
