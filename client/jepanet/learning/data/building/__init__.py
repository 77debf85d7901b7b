"""How a dataset is made."""
