"""Several processes that do one training together."""
