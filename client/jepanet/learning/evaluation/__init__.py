"""What a model is worth on data it never saw."""
