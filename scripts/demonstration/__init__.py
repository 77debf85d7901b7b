"""What `scripts/demo` runs: the product's own commands, as a user would type them."""
