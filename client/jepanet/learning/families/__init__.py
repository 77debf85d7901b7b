"""Model families: one folder each, beside the registry that names them."""
