"""What `scripts/soak` runs: one local network for hundreds of rounds, and what its nodes hold meanwhile."""
