"""What `scripts/rehearsal` runs: ten nodes in network namespaces, over links that delay, lose and break."""
